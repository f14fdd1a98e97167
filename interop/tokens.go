package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/apikey"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"
	"github.com/clerk/clerk-sdk-go/v2/m2m_token"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// The ways in which a token is verified.
const (
	pemMode     = "pem"     // by the key, which is given
	jwksMode    = "jwks"    // by the key, which is fetched
	networkMode = "network" // by asking, and the emulator answers 404 for a dead token
	lenientMode = "lenient" // by asking, and it answers 200 with the token's flags
)

const (
	clerkBackend = "@clerk/backend"
	clerkSDKGo   = "clerk-sdk-go"
)

var peers = []string{clerkBackend, clerkSDKGo}

// speaks tells whether a peer has a way to verify such a token at all.
func speaks(peer string, accept authn.TokenType, mode string) bool {
	return peer != clerkSDKGo || accept != authn.OAuthToken || mode == pemMode || mode == jwksMode
}

// trial is one way in which tokens are verified, and the tokens.
type trial struct {
	mode   string
	env    environment // has a JWTKey where it is to be used
	cases  []tokenCase
	tokens []string // of each case
}

// runTokens has every token judged by both peers and by us, and prints where we disagree.
func runTokens(ctx context.Context, r *report) {
	r.begin("tokens", "of the emulator, some made bad, judged by us and by both peers")
	trials, stop, err := newTrials(ctx)
	defer stop()
	r.check("the emulator makes them", err)
	if err != nil {
		return
	}
	ours, theirs := map[opinion]verdict{}, map[opinion]verdict{}
	for _, t := range trials {
		r.check("we judge all, "+t.mode, t.askUs(ctx, ours))
		r.check("@clerk/backend judges all, "+t.mode, t.askJS(ctx, theirs))
		r.check("clerk-sdk-go judges all, "+t.mode, t.askGo(ctx, theirs))
	}
	judgeAll(r, trials, ours, theirs, disagreements)
	for _, t := range trials {
		r.note("%s: %d tokens, of which %d bad", t.mode, len(t.cases), t.bad())
	}
	printDisagreements(r, disagreements)
}

// newTrials makes the tokens for all ways to verify them. stop ends what it started, also after an error.
func newTrials(ctx context.Context) (trials []trial, stop func(), err error) {
	var started []*emulator
	stop = func() {
		for _, e := range started {
			_ = e.Close()
		}
	}
	for _, opts := range [][]m2mtest.Option{nil, {m2mtest.WithDeadTokensAs200()}} {
		e, err := startEmulator(opts...)
		if err != nil {
			return nil, stop, err
		}
		started = append(started, e)
	}
	strict, lenient := started[0], started[1]
	jwts := jwtCases(time.Now(), strict.env.Caller.ID)
	for _, plan := range []struct {
		e     *emulator
		mode  string
		env   environment
		cases []tokenCase
	}{
		{strict, pemMode, strict.env, jwts},
		{strict, jwksMode, strict.env.withoutKey(), jwts},
		{strict, networkMode, strict.env, opaqueCases(strict.env.Callee.ID, strict.env.Stranger.ID)},
		{lenient, lenientMode, lenient.env, opaqueCases(lenient.env.Callee.ID, lenient.env.Stranger.ID)},
	} {
		t, err := plan.e.trial(ctx, plan.mode, plan.env, plan.cases)
		if err != nil {
			return nil, stop, err
		}
		trials = append(trials, t)
	}
	return trials, stop, nil
}

// bad gives how many of the tokens are to be refused.
func (t trial) bad() int {
	n := 0
	for _, c := range t.cases {
		if c.want(t.mode) == refuses {
			n++
		}
	}
	return n
}

// judgeAll makes a check of each case in each way, and of each known disagreement that none of them is about.
func judgeAll(r *report, trials []trial, ours, theirs map[opinion]verdict, known []disagreement) {
	used := make([]int, len(known))
	for _, t := range trials {
		for _, c := range t.cases {
			us := ours[opinion{accept: c.accept, name: c.name, mode: t.mode}]
			name := fmt.Sprintf("%s, %s, %s: ours %s", c.accept, c.name, t.mode, us.Decision)
			var errs []error
			if want := c.want(t.mode); us.Decision != want {
				errs = append(errs, fmt.Errorf("%q was expected of us, but ours %v", want, us))
			}
			for _, peer := range peers {
				if !speaks(peer, c.accept, t.mode) {
					continue
				}
				o := opinion{accept: c.accept, name: c.name, peer: peer, mode: t.mode}
				var listed *disagreement
				if i := find(known, o); i >= 0 {
					listed = &known[i]
					used[i]++
					name += fmt.Sprintf(", %s %s as listed", peer, listed.theirs)
				}
				if err := judge(us, theirs[o], listed); err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", peer, err))
				}
			}
			r.check(name, errors.Join(errs...))
		}
	}
	for i, d := range known {
		if want := len(d.accept) * len(d.modes); used[i] != want {
			r.check(fmt.Sprintf("%v, %s: %s is listed", d.accept, d.name, d.peer), fmt.Errorf("there are %d such cases, not %d", used[i], want))
		}
	}
}

// printDisagreements prints what is known, for a person.
func printDisagreements(r *report, known []disagreement) {
	fmt.Fprintf(r.out, "\nWhere a peer and we disagree on purpose (%d):\n\n", len(known))
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  ACCEPTED\tTOKEN\tBY\tPEER\tIT\tWE\tWHY")
	for _, d := range known {
		var kinds []string
		for _, accept := range d.accept {
			kinds = append(kinds, strings.TrimSuffix(string(accept), "_token"))
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", strings.Join(kinds, ", "), d.name, strings.Join(d.modes, ", "), d.peer, d.theirs, d.ours, d.why)
	}
	_ = w.Flush()
}

// askUs judges the tokens as a service that uses authn does.
func (t trial) askUs(ctx context.Context, verdicts map[opinion]verdict) error {
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL(t.env.APIURL), wrapper.WithSecretKey(t.env.SecretKey),
		wrapper.WithMachineSecretKey(t.env.Callee.SecretKey))
	if err != nil {
		return err
	}
	opts := []authn.Option{authn.WithClockSkew(skew)}
	if t.env.JWTKey != "" {
		opts = append(opts, authn.WithJWTKey(t.env.JWTKey))
	}
	auth, err := authn.New(client, opts...)
	if err != nil {
		return err
	}
	for i, c := range t.cases {
		verdicts[opinion{accept: c.accept, name: c.name, mode: t.mode}] = ourVerdict(ctx, auth, t.tokens[i], c.accept)
	}
	return auth.Close()
}

func ourVerdict(ctx context.Context, auth *authn.Authenticator, token string, accept authn.TokenType) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = verdict{Decision: crashes, Why: fmt.Sprint(p)}
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://service.test/", nil)
	if err != nil {
		return verdict{Decision: crashes, Why: err.Error()}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	state, err := auth.AuthenticateRequest(req, accept)
	switch {
	case err != nil:
		return verdict{Decision: crashes, Why: err.Error()}
	case errors.Is(state.Err, authn.ErrCannotDecide):
		return verdict{Decision: unsure, Why: fmt.Sprintf("%s: %s", state.Reason, state.Message)}
	case state.Status != authn.SignedIn:
		return verdict{Decision: refuses, Why: fmt.Sprintf("%s: %s", state.Reason, state.Message)}
	}
	fields, err := json.Marshal(state.Auth)
	if err != nil {
		return verdict{Decision: crashes, Why: err.Error()}
	}
	return verdict{Decision: accepts, Auth: fields}
}

// askJS has @clerk/backend judge the tokens, as a service that calls authenticateRequest does.
func (t trial) askJS(ctx context.Context, verdicts map[opinion]verdict) error {
	type jsCase struct {
		Name   string          `json:"name"`
		Accept authn.TokenType `json:"accept"`
		Token  string          `json:"token"`
	}
	input := struct {
		Environment environment `json:"environment"`
		ClockSkew   int64       `json:"clockSkewInMs"`
		Cases       []jsCase    `json:"cases"`
	}{Environment: t.env, ClockSkew: skew.Milliseconds()}
	for i, c := range t.cases {
		input.Cases = append(input.Cases, jsCase{c.name, c.accept, t.tokens[i]})
	}
	judged := 0
	err := script(ctx, "verdicts.mjs", input, func(line []byte) error {
		var said struct {
			verdict
			Case   string
			Accept authn.TokenType
		}
		if err := json.Unmarshal(line, &said); err != nil {
			return err
		}
		verdicts[opinion{accept: said.Accept, name: said.Case, peer: clerkBackend, mode: t.mode}] = said.verdict
		judged++
		return nil
	})
	return errors.Join(err, equal("verdicts", judged, len(t.cases)))
}

// askGo has clerk-sdk-go judge the tokens.
func (t trial) askGo(ctx context.Context, verdicts map[opinion]verdict) error {
	for i, c := range t.cases {
		if speaks(clerkSDKGo, c.accept, t.mode) {
			verdicts[opinion{accept: c.accept, name: c.name, peer: clerkSDKGo, mode: t.mode}] = t.goVerdict(ctx, t.tokens[i], c.accept)
		}
	}
	return nil
}

func (t trial) goVerdict(ctx context.Context, token string, accept authn.TokenType) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = verdict{Decision: crashes, Why: fmt.Sprint(p)}
		}
	}()
	verify := t.goVerifyJWT
	if t.mode == networkMode || t.mode == lenientMode {
		verify = t.goVerifyOpaque
	}
	auth, err := verify(ctx, token, accept)
	if err != nil {
		return verdict{Decision: refuses, Why: err.Error()}
	}
	fields, err := json.Marshal(auth)
	if err != nil {
		return verdict{Decision: crashes, Why: err.Error()}
	}
	return verdict{Decision: accepts, Auth: fields}
}

// goVerifyJWT uses jwt.Verify, which is all that clerk-sdk-go has for a JWT of any kind.
func (t trial) goVerifyJWT(ctx context.Context, token string, accept authn.TokenType) (map[string]any, error) {
	params := &jwt.VerifyParams{Token: token, Leeway: skew, JWKSClient: jwks.NewClient(goConfig(t.env, t.env.SecretKey))}
	if t.env.JWTKey != "" {
		key, err := clerk.JSONWebKeyFromPEM(t.env.JWTKey)
		if err != nil {
			return nil, err
		}
		params.JWK = key
	}
	claims, err := jwt.Verify(ctx, params)
	switch {
	case err != nil:
		return nil, err
	case accept == authn.SessionToken:
		return map[string]any{"userId": claims.Subject, "sessionId": claims.SessionID}, nil
	default:
		return map[string]any{"subject": claims.Subject}, nil
	}
}

// goVerifyOpaque uses the calls of clerk-sdk-go, whose error is all that they say against a token.
func (t trial) goVerifyOpaque(ctx context.Context, token string, accept authn.TokenType) (map[string]any, error) {
	switch accept {
	case authn.M2MToken:
		got, err := m2m_token.NewClient(goConfig(t.env, t.env.Callee.SecretKey)).Verify(ctx, &m2m_token.VerifyParams{Token: token})
		return map[string]any{"id": got.ID, "subject": got.Subject, "scopes": got.Scopes}, err
	case authn.APIKey:
		got, err := apikey.NewClient(goConfig(t.env, t.env.SecretKey)).Verify(ctx, &apikey.VerifyParams{Secret: token})
		return map[string]any{"id": got.ID, "subject": got.Subject, "name": got.Name, "scopes": got.Scopes}, err
	default:
		return nil, fmt.Errorf("clerk-sdk-go has no call for %s", accept)
	}
}
