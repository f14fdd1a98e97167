package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// clearEnv keeps the environment of whoever runs the tests out of them.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{"CLERK_SECRET_KEY", "CLERK_MACHINE_SECRET_KEY", "CLERK_API_URL", "CLERK_JWT_KEY", "CLERK_PUBLISHABLE_KEY"} {
		t.Setenv(name, "")
	}
}

// backend starts a backend and points the environment at it.
func backend(t *testing.T) *m2mtest.Server {
	t.Helper()
	clearEnv(t)
	s := m2mtest.NewServer(t)
	t.Setenv("CLERK_API_URL", s.URL())
	t.Setenv("CLERK_SECRET_KEY", s.SecretKey())
	t.Setenv("CLERK_MACHINE_SECRET_KEY", s.MachineSecretKey(s.Machine().ID))
	return s
}

type result struct {
	status         int
	stdout, stderr string
}

func command(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	status := run(t.Context(), args, strings.NewReader(stdin), &out, &errOut)
	return result{status, out.String(), errOut.String()}
}

func (r result) want(t *testing.T, status int, stdout ...string) result {
	t.Helper()
	if r.status != status {
		t.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", r.status, status, r.stdout, r.stderr)
	}
	for _, s := range stdout {
		if !strings.Contains(r.stdout, s) {
			t.Errorf("stdout has no %q:\n%s", s, r.stdout)
		}
	}
	return r
}

func TestDemo(t *testing.T) {
	clearEnv(t)
	r := command(t, "", "demo").want(t, 0, "everything that was created is deleted", `format "jwt"`, "$0.00404")
	if strings.Contains(r.stdout, "FAIL") || strings.Count(r.stdout, "  ok  ") != 8 {
		t.Errorf("not every step did what it should:\n%s", r.stdout)
	}
}

func TestDemoWithSecretKeyCleansUp(t *testing.T) {
	s := backend(t)
	command(t, "", "demo").want(t, 0, "On Clerk", "everything that was created is deleted")
	for _, call := range []struct {
		operation string
		want      int
	}{{"CreateMachine", 3}, {"DeleteMachine", 3}} {
		if got := s.CallsTo(call.operation); got != call.want {
			t.Errorf("%d calls to %s, want %d", got, call.operation, call.want)
		}
	}
}

func TestDemoFailsWhenAStepFails(t *testing.T) {
	s := backend(t)
	s.Faults(m2mtest.Fault{Operation: "revokeM2MToken", Status: 403})
	r := command(t, "", "demo").want(t, 1, "everything that was created is deleted")
	if !strings.Contains(r.stderr, "revokeM2MToken") {
		t.Errorf("stderr does not say what failed: %s", r.stderr)
	}
}

func TestTokens(t *testing.T) {
	s := backend(t)
	machine := s.Machine().ID
	created := command(t, "", "tokens", "create", "--ttl", "10m", "--claims", `{"tenant":"acme"}`).want(t, 0, "mt_")
	token := strings.TrimSpace(created.stdout)
	id, _, _ := strings.Cut(created.stderr, " ")
	s.AddScope(machine, s.AddMachine("other").ID)

	t.Setenv("CLERK_MACHINE_SECRET_KEY", "") // the instance's key verifies any token
	command(t, token, "tokens", "verify").want(t, 0, machine, "live")
	command(t, "", "tokens", "list", machine).want(t, 0, id)
	command(t, "", "tokens", "revoke", id, "--reason", "test").want(t, 0, "revoked")
	command(t, token, "tokens", "verify").want(t, 1)
	command(t, "", "tokens", "list", machine).want(t, 0, "none")
	listed := command(t, "", "tokens", "list", machine, "--revoked", "--json").want(t, 0)
	var row struct{ ID string }
	if err := json.Unmarshal([]byte(listed.stdout), &row); err != nil || row.ID != id {
		t.Errorf("--json printed %q, %v", listed.stdout, err)
	}
	for _, r := range []result{
		command(t, "", "tokens", "create", "--format", "paper"),
		command(t, "", "tokens", "create", "--ttl", "1.5s"),
		command(t, "", "tokens", "create", "--claims", "[]"),
		command(t, "", "tokens", "create"), // no machine's key now
		command(t, "", "tokens", "verify"),
		command(t, "", "tokens", "revoke", "../x"),
	} {
		if r.status != 1 || !strings.HasPrefix(r.stderr, "clerk-m2m: ") || r.stdout != "" {
			t.Errorf("exit status %d, stdout %q, stderr %q", r.status, r.stdout, r.stderr)
		}
	}
}

func TestListStreamsBeyondAPage(t *testing.T) {
	s := backend(t)
	for range 250 {
		s.MintM2M(s.Machine().ID)
	}
	r := command(t, "", "tokens", "list", s.Machine().ID).want(t, 0)
	if got := strings.Count(r.stdout, "\nmt_"); got != 250 {
		t.Errorf("%d of 250 tokens were listed", got)
	}
	if got := s.CallsTo("getM2MTokens"); got != 3 {
		t.Errorf("%d pages were fetched, want 3", got)
	}
}

func TestMachines(t *testing.T) {
	s := backend(t)
	other := s.AddMachine("other")
	var m struct {
		ID        string `json:"id"`
		SecretKey string `json:"secret_key"`
	}
	created := command(t, "", "machines", "create", "billing", "--scope", other.ID, "--token-ttl", "5m", "--json").want(t, 0)
	if err := json.Unmarshal([]byte(created.stdout), &m); err != nil {
		t.Fatal(err)
	}
	command(t, "", "machines", "get", m.ID).want(t, 0, "billing", other.ID, "5m0s")
	command(t, "", "machines", "list").want(t, 0, "billing", "other")
	command(t, "", "machines", "list", "--query", "bill").want(t, 0, "billing")
	command(t, "", "machines", "secret", m.ID).want(t, 0, m.SecretKey)
	command(t, "", "machines", "scope", "remove", m.ID, other.ID).want(t, 0)
	command(t, "", "machines", "scope", "add", m.ID, other.ID).want(t, 0)
	rotated := command(t, "", "machines", "rotate", m.ID, "--keep-old", "0s").want(t, 0, "ak_")
	if strings.Contains(rotated.stdout, m.SecretKey) {
		t.Error("the key after the rotation is the one before")
	}
	command(t, "", "machines", "delete", m.ID).want(t, 0, "deleted")
	r := command(t, "", "machines", "get", m.ID).want(t, 1)
	if !strings.Contains(r.stderr, "404") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestKeyFromFile(t *testing.T) {
	s := backend(t)
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(s.SecretKey()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLERK_SECRET_KEY", "")
	command(t, "", "machines", "list", "--secret-key-file", path).want(t, 0, "default")
}

func TestInspect(t *testing.T) {
	clearEnv(t)
	s := m2mtest.NewServer(t)
	command(t, s.MintJWT(s.Machine().ID), "inspect").want(t, 0, "m2m_token, jwt", s.Machine().ID, "expires")
	command(t, s.MintOAuthJWT(s.UserID()), "inspect", "--json").want(t, 0, `"tokenType":"oauth_token"`)
	command(t, "ak_x", "inspect").want(t, 0, "api_key, opaque")
	command(t, "nothing", "inspect").want(t, 1)
	if n := len(s.Calls()); n != 0 {
		t.Errorf("inspect made %d calls", n)
	}
}

func TestAuthenticate(t *testing.T) {
	s := backend(t)
	caller := s.AddMachine("caller", s.Machine().ID)
	good := string(s.MintM2M(caller.ID).Token)
	command(t, good, "authenticate").want(t, 0, `"signed-in"`, caller.ID)
	command(t, "GET / HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer "+s.MintJWT(caller.ID)+"\r\n\r\n", "authenticate", "--accept", "m2m_token").want(t, 0, caller.ID)
	command(t, "mt_unknownunknownunknownunknown", "authenticate").want(t, 1, `"signed-out"`)
	command(t, "GET / HTTP/1.1\r\nHost: b\r\n\r\n", "authenticate", "--accept", "m2m_token").want(t, 1, "No token in header")
	s.Faults(m2mtest.Fault{Status: 503})
	r := command(t, good, "authenticate").want(t, 2, `"unexpected-error"`)
	if strings.Contains(r.stdout+r.stderr, good) {
		t.Error("the token is printed")
	}
	t.Setenv("CLERK_SECRET_KEY", "")
	command(t, good, "authenticate").want(t, 2) // api_key needs the instance's key
}

func TestEmulator(t *testing.T) {
	clearEnv(t)
	ctx, stop := context.WithCancel(t.Context())
	out, errOut := newLines(), newLines()
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"emulator", "--addr", "127.0.0.1:0", "--seed", "7"}, strings.NewReader(""), out, errOut)
	}()
	env := map[string]string{}
	for range 5 {
		name, value, ok := strings.Cut(<-out.c, "=")
		if !ok {
			t.Fatal("the emulator printed something else than NAME=value")
		}
		env[name] = value
		t.Setenv(name, value)
	}
	if u := env["CLERK_API_URL"]; !strings.HasPrefix(u, "http://127.0.0.1:") || strings.Count(u, "/") != 2 {
		t.Errorf("CLERK_API_URL is %q", u)
	}
	token := strings.TrimSpace(command(t, "", "tokens", "create", "--format", "jwt").want(t, 0).stdout)
	command(t, token, "authenticate", "--accept", "m2m_token").want(t, 0, `"signed-in"`) // by CLERK_JWT_KEY
	if line := <-errOut.c; !strings.Contains(line, "createM2MToken") {
		t.Errorf("the call was logged as %q", line)
	}
	stop()
	if status := <-done; status != 0 {
		t.Errorf("exit status %d", status)
	}
	r := command(t, "", "emulator", "--faults", "status=teapot")
	if r.status != 1 || r.stderr == "" {
		t.Errorf("a fault that cannot be read: exit status %d, %q", r.status, r.stderr)
	}
}

// lines is a writer that gives what is written to it line by line.
type lines struct {
	c    chan string
	part string
}

func newLines() *lines { return &lines{c: make(chan string, 100)} }

func (l *lines) Write(p []byte) (int, error) {
	l.part += string(p)
	for {
		line, rest, ok := strings.Cut(l.part, "\n")
		if !ok {
			return len(p), nil
		}
		l.c <- line
		l.part = rest
	}
}

// What the demo changes must still look like a token, or it would be refused for its looks.
func TestTamperedStaysInTheAlphabet(t *testing.T) {
	t.Parallel()
	const letters = "ABCZabcz0129-_"
	for _, c := range letters {
		token := "mt_" + strings.Repeat(string(c), 30)
		got := tampered(token)
		if got == token || len(got) != len(token) || strings.Trim(got, "mt_AB"+string(c)) != "" {
			t.Errorf("%s became %s", token, got)
		}
	}
}
