package wrapper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// hush is in every secret of these tests, so that one that shows is found.
const hush = "hush"

// shows fails the test when a text holds a secret.
func shows(t *testing.T, what, text string) {
	t.Helper()
	if strings.Contains(text, hush) {
		t.Errorf("%s shows a secret: %.300s", what, text)
	}
}

// JSON of a client, an option or an error has no secret; that of a token is data and has.
func TestJSONHasNoSecret(t *testing.T) {
	t.Parallel()
	f := newFake(answer(401, `{"errors":[{"code":"c","message":"ak_machinehush1","long_message":"presentedhush","meta":{"token":"presentedhush"}}]}`))
	client := f.client(t)
	_, refused := client.M2MTokens.Verify(t.Context(), "presentedhush")
	_, credential := client.Keys.JWKS(t.Context(), wrapper.MachineSecretKey("ak_hush"))
	for name, v := range map[string]any{"client": client, "API": client.API(), "APIError": refused, "CredentialError": credential} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		shows(t, name+" as JSON", string(text))
	}
	if text, err := json.Marshal(wrapper.M2MToken{Token: "mt_hush"}); err != nil || !strings.Contains(string(text), `"token":"mt_hush"`) {
		t.Errorf("a token as JSON is %s, %v", text, err)
	}
}

// echoCase is a refusal in which Clerk quotes a secret of the request.
type echoCase struct {
	name   string
	secret string
	call   func(c *wrapper.Client, secret string) error
}

func (c echoCase) run(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal("see " + c.secret + ".")
	if err != nil {
		t.Fatal(err)
	}
	body := strings.ReplaceAll(`{"errors":[{"code":Q,"message":Q,"long_message":Q,"meta":{"a":Q,"b":[Q,{"c":[Q]}],Q:1}}],"meta":{"d":Q},"clerk_trace_id":Q}`, "Q", string(quoted))
	var attempts []wrapper.Attempt
	var log bytes.Buffer
	f := newFake(answer(503, body), answer(422, body))
	client := f.client(t, wrapper.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		wrapper.WithAttemptHook(func(_ context.Context, a wrapper.Attempt) { attempts = append(attempts, a) }))
	err = c.call(client, c.secret)
	e, is := errors.AsType[*wrapper.APIError](err)
	if !is || e.Status != 422 || len(e.Errors) != 1 || e.Errors[0].Message != "see [redacted]." {
		t.Fatalf("the error is %+v", err)
	}
	encoded, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"the error": fmt.Sprintf("%v %+v %#v %v %#v", e, *e, *e, e.Errors, e.Errors), "its JSON": string(encoded),
		"the log": log.String(), "the hook": fmt.Sprintf("%+v", attempts),
	} {
		shows(t, what, text)
		if strings.Contains(text, c.secret) {
			t.Errorf("%s shows the secret: %s", what, text)
		}
	}
	if len(attempts) != 2 || log.Len() == 0 {
		t.Errorf("%d attempts, the log is %q", len(attempts), log.String())
	}
}

func TestClerksEchoIsRedacted(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodXNoIn0.aHVzaA"
	get := func(edit func(string) wrapper.RequestEditor) func(*wrapper.Client, string) error {
		return func(c *wrapper.Client, secret string) error {
			_, err := c.M2MTokens.List(context.Background(), wrapper.ListM2MTokensParams{Subject: anID}, edit(secret))
			return err
		}
	}
	m2m := func(c *wrapper.Client, secret string) error {
		_, err := c.M2MTokens.Verify(context.Background(), secret)
		return err
	}
	for _, c := range []echoCase{
		{"machine's key", "ak_callhush", get(wrapper.MachineSecretKey)},
		{"machine's key of another shape", "callhush", get(wrapper.MachineSecretKey)},
		{"instance's key", "sk_live_callhush", get(wrapper.SecretKey)},
		{"own header", "ownhush", get(func(s string) wrapper.RequestEditor { return ownHeader("Basic " + s) })},
		{"own header without a scheme", "ownhush", get(ownHeader)},
		{"M2M token", "mt_presentedhush", m2m},
		{"M2M token of another shape", "presentedhush", m2m},
		{"M2M token with quotes", `presented"hush\`, m2m},
		{"JWT", jwt, m2m},
		{"API key", "presentedhush", func(c *wrapper.Client, secret string) error {
			_, err := c.APIKeys.Verify(context.Background(), secret)
			return err
		}},
		{"OAuth token", "presentedhush", func(c *wrapper.Client, secret string) error {
			_, err := c.OAuthTokens.Verify(context.Background(), secret)
			return err
		}},
		{"a credential that the call did not bring", "sk_live_otherhush", func(c *wrapper.Client, _ string) error {
			_, err := c.Keys.JWKS(context.Background())
			return err
		}},
	} {
		t.Run(c.name, c.run)
	}
}

// A token given where its id belongs is in the URL; no error and no log repeats it.
func TestTokenGivenAsAnIDIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]http.HandlerFunc{
		"reset": reset, "refused": answer(404, `{"errors":[{"code":"c","message":"no mt_presentedhush"}]}`),
		"redirected": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere"+r.URL.Path, http.StatusFound)
		},
		"no success": answer(200, `{}`),
	} {
		f := newFake(reply)
		var log bytes.Buffer
		client := f.client(t, wrapper.WithMaxRetries(0), wrapper.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		_, err := client.M2MTokens.Revoke(t.Context(), "mt_presentedhush", wrapper.RevokeM2MTokenParams{})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		shows(t, name, fmt.Sprintf("%v %+v %#v", err, err, err)+log.String())
		for e := err; e != nil; e = errors.Unwrap(e) {
			shows(t, name+", unwrapped", fmt.Sprintf("%v %+v", e, e))
		}
	}
}

// The same for a host that cannot be reached.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	f := newFake()
	client := f.client(t, wrapper.WithMaxRetries(0))
	f.start(t).Close()
	_, err := client.M2MTokens.Revoke(t.Context(), "mt_presentedhush", wrapper.RevokeM2MTokenParams{})
	e, is := errors.AsType[*wrapper.APIError](err)
	if !is || e.Status != 0 || !errors.Is(err, wrapper.ErrUnavailable) || !strings.Contains(err.Error(), "no reply") {
		t.Errorf("the error is %v", err)
	}
	shows(t, "the error", fmt.Sprintf("%v %+v", err, e))
}

// A log that many calls write at once has their operations, statuses and trace ids, and no secret.
func TestLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := newFake()
	client := f.client(t, wrapper.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, op := range generated.Operations() {
				if err := perform(t, op, client, anID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	shows(t, "the log", log.String())
	for _, op := range generated.Operations() {
		if n := strings.Count(log.String(), `"operation":"`+op.ID+`"`); n != 4 {
			t.Errorf("%s is logged %d times", op.ID, n)
		}
	}
}
