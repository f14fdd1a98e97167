package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

func (a *app) demo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show two services that prove to each other which machine they are, in both token formats",
		Long: `Show the whole story on loopback: a machine mints a token, calls another, which finds out who called; a stranger is
refused; the token ends, and is refused. It runs on a built-in backend, or on Clerk when CLERK_SECRET_KEY is set:
then it creates three machines there, and deletes them at the end. The exit status is 0 only when every step did what
it should.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runDemo(cmd.Context(), cmd.OutOrStdout())
		},
	}
}

// demoSkew is by how much clocks may differ in the demo: little, so that an expired token is soon refused.
const demoSkew = time.Second

// demo is one run of the story.
type demo struct {
	w     io.Writer
	admin *wrapper.Client
	trace *tracer
	opts  []wrapper.Option // for every client: where the API is
	skew  time.Duration
	// secretKey is the instance's, with which B fetches the keys for JWTs.
	secretKey string
	failed    int

	a, b, stranger *wrapper.Machine
	bURL           string
}

func (a *app) runDemo(ctx context.Context, w io.Writer) (err error) {
	d := &demo{w: w, trace: &tracer{w: w, base: http.DefaultTransport}, skew: demoSkew}
	var cost func() m2mtest.Cost
	secretKey, err := a.instanceKey()
	if err != nil {
		return err
	}
	if secretKey == "" {
		server, err := m2mtest.New()
		if err != nil {
			return err
		}
		if err := server.Start("127.0.0.1:0"); err != nil {
			return err
		}
		defer server.Close()
		d.secretKey, cost = server.SecretKey(), server.Cost
		d.opts = []wrapper.Option{wrapper.WithoutEnv(), wrapper.WithBaseURL(server.URL())}
		fmt.Fprintf(w, "On the built-in backend. Set CLERK_SECRET_KEY to run the same on Clerk.\n")
	} else {
		d.secretKey, d.skew, cost = secretKey, 5*time.Second, d.trace.cost
		d.opts = []wrapper.Option{wrapper.WithoutEnv()}
		if url := os.Getenv("CLERK_API_URL"); url != "" {
			d.opts = append(d.opts, wrapper.WithBaseURL(url))
		}
		fmt.Fprintf(w, "On Clerk, with CLERK_SECRET_KEY. Three machines are created, and deleted at the end.\n")
	}
	d.opts = append(d.opts, wrapper.WithHTTPClient(&http.Client{Transport: d.trace}))
	if d.admin, err = wrapper.New(append(d.opts, wrapper.WithSecretKey(d.secretKey))...); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.cleanUp(ctx)) }()
	if err := d.setUp(ctx); err != nil {
		return err
	}
	for _, format := range []wrapper.TokenFormat{wrapper.TokenFormatOpaque, wrapper.TokenFormatJWT} {
		if err := d.story(ctx, format); err != nil {
			return err
		}
	}
	c := cost()
	fmt.Fprintf(w, "\nAt Clerk's list prices: %d tokens minted, %d opaque verifications (JWTs are free): $%.5f\n",
		c.M2MTokensCreated, c.OpaqueVerifications, c.USD())
	if d.failed > 0 {
		return fmt.Errorf("%d steps did not do what they should", d.failed)
	}
	return nil
}

// instanceKey gives the instance's secret key, "" when there is none.
func (a *app) instanceKey() (string, error) {
	if a.secretKeyFile == "" {
		return os.Getenv("CLERK_SECRET_KEY"), nil
	}
	key, err := os.ReadFile(a.secretKeyFile)
	return strings.TrimSpace(string(key)), err
}

func (d *demo) step(format string, args ...any) { fmt.Fprintf(d.w, "\n"+format+"\n", args...) }

// expect prints whether a step did what it should.
func (d *demo) expect(ok bool, format string, args ...any) {
	mark := "ok  "
	if !ok {
		mark = "FAIL"
		d.failed++
	}
	fmt.Fprintf(d.w, "  %s %s\n", mark, fmt.Sprintf(format, args...))
}

// setUp creates the machines: A, which may call B, B itself, and a stranger that may call nobody.
func (d *demo) setUp(ctx context.Context) (err error) {
	d.step("1. Three machines: B, A that may call B, and a stranger that may not")
	if d.b, err = d.admin.Machines.Create(ctx, wrapper.CreateMachineParams{Name: "clerk-m2m demo B"}); err != nil {
		return err
	}
	if d.a, err = d.admin.Machines.Create(ctx, wrapper.CreateMachineParams{Name: "clerk-m2m demo A", ScopedMachines: []string{d.b.ID}}); err != nil {
		return err
	}
	if d.stranger, err = d.admin.Machines.Create(ctx, wrapper.CreateMachineParams{Name: "clerk-m2m demo stranger"}); err != nil {
		return err
	}
	fmt.Fprintf(d.w, "  A is %s, B is %s, the stranger is %s\n", d.a.ID, d.b.ID, d.stranger.ID)
	return nil
}

// cleanUp deletes what setUp created, also when the run was interrupted.
func (d *demo) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	d.step("Cleaning up")
	var errs []error
	for _, m := range []*wrapper.Machine{d.a, d.b, d.stranger} {
		if m == nil {
			continue
		}
		if _, err := d.admin.Machines.Delete(ctx, m.ID); err != nil {
			errs = append(errs, fmt.Errorf("the machine %s is left behind: %w", m.ID, err))
		}
	}
	if len(errs) == 0 {
		fmt.Fprintln(d.w, "  everything that was created is deleted")
	}
	return errors.Join(errs...)
}

// story is what one token goes through.
func (d *demo) story(ctx context.Context, format wrapper.TokenFormat) error {
	d.step("== Tokens of format %q", format)
	stop, err := d.serveB()
	if err != nil {
		return err
	}
	defer stop()

	params := wrapper.CreateM2MTokenParams{TokenFormat: &format, SecondsUntilExpiration: new(int64(3600))}
	if format == wrapper.TokenFormatJWT {
		params.SecondsUntilExpiration = new(int64(2)) // a JWT cannot be revoked: it is waited out
	}
	d.step("2. A mints a token")
	token, err := d.mint(ctx, d.a, params)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.w, "  the token's id is %s, it expires %s\n", token.ID, at(token.Expiration))

	d.step("3. A service of A's is asked for a report, and calls B for it")
	status, saw, err := d.viaA(ctx, string(token.Token))
	if err != nil {
		return err
	}
	d.expect(status == http.StatusOK && saw.Machine == d.a.ID, "B answered %d and saw the caller %s, which may call %s", status, saw.Machine, strings.Join(saw.Scopes, " "))

	d.step("4. The stranger calls B with a token of its own")
	strange, err := d.mint(ctx, d.stranger, wrapper.CreateM2MTokenParams{TokenFormat: &format, SecondsUntilExpiration: new(int64(60))})
	if err != nil {
		return err
	}
	status, _, err = d.call(ctx, string(strange.Token))
	if err != nil {
		return err
	}
	// An opaque token is refused by Clerk, since it does not hold B; a JWT is good, and refused by B's own list.
	want := map[wrapper.TokenFormat]int{wrapper.TokenFormatOpaque: http.StatusUnauthorized, wrapper.TokenFormatJWT: http.StatusForbidden}[format]
	d.expect(status == want, "B answered %d", status)

	d.step("5. A token that was changed on the way")
	if status, _, err = d.call(ctx, tampered(string(token.Token))); err != nil {
		return err
	}
	d.expect(status == http.StatusUnauthorized, "B answered %d", status)

	if err := d.end(ctx, format, token); err != nil {
		return err
	}
	if status, _, err = d.call(ctx, string(token.Token)); err != nil {
		return err
	}
	d.expect(status == http.StatusUnauthorized, "B answered %d", status)
	return nil
}

// tampered gives a token with one character changed for another that a token may have, so that only whoever verifies
// it can tell.
func tampered(token string) string {
	at := len(token) - 10
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// end ends a token: an opaque one is revoked, a JWT is waited out.
func (d *demo) end(ctx context.Context, format wrapper.TokenFormat, token *wrapper.M2MToken) error {
	if format == wrapper.TokenFormatOpaque {
		d.step("6. The token is revoked, and A calls again")
		_, err := d.admin.M2MTokens.Revoke(ctx, token.ID, wrapper.RevokeM2MTokenParams{RevocationReason: new("demo")})
		return err
	}
	wait := time.Until(time.UnixMilli(*token.Expiration)) + d.skew + time.Second
	d.step("6. A JWT cannot be revoked; it expires (waiting %s), and A calls again", wait.Round(100*time.Millisecond))
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *demo) mint(ctx context.Context, m *wrapper.Machine, params wrapper.CreateM2MTokenParams) (*wrapper.M2MToken, error) {
	client, err := wrapper.New(append(d.opts, wrapper.WithMachineSecretKey(string(m.SecretKey)))...)
	if err != nil {
		return nil, err
	}
	return client.M2MTokens.Create(ctx, params)
}

// sawCaller is what B tells of who called.
type sawCaller struct {
	Machine string   `json:"machine"`
	Scopes  []string `json:"scopes"`
}

// serveB starts service B, which lets only A in and answers who called.
func (d *demo) serveB() (stop func(), err error) {
	client, err := wrapper.New(append(d.opts, wrapper.WithMachineSecretKey(string(d.b.SecretKey)), wrapper.WithSecretKey(d.secretKey))...)
	if err != nil {
		return nil, err
	}
	auth, err := authn.New(client, authn.WithAllowedMachines(d.a.ID), authn.WithClockSkew(d.skew))
	if err != nil {
		return nil, err
	}
	url, stopServer, err := serve(auth.Require(authn.M2MToken)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := authn.M2MFromContext(r.Context())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(sawCaller{caller.MachineID, caller.Scopes})
	})))
	if err != nil {
		return nil, err
	}
	d.bURL = url
	return func() { stopServer(); _ = auth.Close() }, nil
}

// viaA starts service A, which calls B with the token, and asks it for a report.
func (d *demo) viaA(ctx context.Context, token string) (int, sawCaller, error) {
	url, stop, err := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, saw, err := d.call(r.Context(), token)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(saw)
	}))
	if err != nil {
		return 0, sawCaller{}, err
	}
	defer stop()
	return d.get(ctx, url+"/report", "")
}

func (d *demo) call(ctx context.Context, token string) (int, sawCaller, error) {
	return d.get(ctx, d.bURL+"/whoami", token)
}

func (d *demo) get(ctx context.Context, url, token string) (status int, saw sawCaller, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, saw, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: d.trace}).Do(req)
	if err != nil {
		return 0, saw, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(&saw)
	}
	return resp.StatusCode, saw, err
}

// serve serves a handler on a free port of loopback.
func serve(h http.Handler) (url string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(ln) }()
	return "http://" + ln.Addr().String(), func() { _ = server.Close() }, nil
}
