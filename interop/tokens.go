package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// How the key is had that a JWT is verified with.
const (
	pemMode  = "pem"  // it is given
	jwksMode = "jwks" // it is fetched
)

var modes = []string{pemMode, jwksMode}

const (
	clerkBackend = "@clerk/backend"
	clerkSDKGo   = "clerk-sdk-go"
)

var peers = []string{clerkBackend, clerkSDKGo}

// runTokens has every token judged by both peers and by us, and prints where we disagree.
func runTokens(ctx context.Context, r *report, env environment, cases []tokenCase, tokens []string) {
	r.begin("tokens", "minted by the emulator, some made bad, and verified by us and by both peers")
	theirs := map[opinion]verdict{}
	err := askJS(ctx, env, cases, tokens, theirs)
	r.check("@clerk/backend judged every token", err)
	askGo(ctx, env, cases, tokens, theirs)
	ours, err := askUs(ctx, env, cases, tokens)
	if err != nil {
		r.check("we judged every token", err)
		return
	}
	judgeAll(r, cases, ours, theirs, disagreements)
	printDisagreements(r, disagreements)
}

// judgeAll makes a check of each case, and of each disagreement that none of them is about.
func judgeAll(r *report, cases []tokenCase, ours, theirs map[opinion]verdict, known []disagreement) {
	used := make([]int, len(known))
	for _, c := range cases {
		var errs []error
		for _, mode := range modes {
			us := ours[opinion{accept: c.accept, name: c.name, mode: mode}]
			if want := c.want(mode); us.Decision != want {
				errs = append(errs, fmt.Errorf("%s: %q was expected of us, but ours %v", mode, want, us))
			}
			for _, peer := range peers {
				o := opinion{accept: c.accept, name: c.name, peer: peer, mode: mode}
				var listed *disagreement
				if i := find(known, o); i >= 0 {
					listed = &known[i]
					used[i]++
				}
				if err := judge(us, theirs[o], listed); err != nil {
					errs = append(errs, fmt.Errorf("%s, %s: %w", peer, mode, err))
				}
			}
		}
		r.check(fmt.Sprintf("%s, %s: %s", c.accept, c.name, c.want(jwksMode)), errors.Join(errs...))
	}
	for i, d := range known {
		want := len(d.accept)
		if d.mode == "" {
			want *= len(modes)
		}
		if used[i] != want {
			r.check(fmt.Sprintf("%v, %s: %s is listed", d.accept, d.name, d.peer), fmt.Errorf("there are %d such cases, not %d", used[i], want))
		}
	}
}

// printDisagreements prints what is known, for a person.
func printDisagreements(r *report, known []disagreement) {
	fmt.Fprintf(r.out, "\nWhere a peer and we disagree on purpose (%d):\n\n", len(known))
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  ACCEPTED\tTOKEN\tPEER\tIT\tWE\tWHY")
	for _, d := range known {
		peer := d.peer
		if d.mode != "" {
			peer += ", " + d.mode
		}
		kinds := "every kind"
		if len(d.accept) == 1 {
			kinds = string(d.accept[0])
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", kinds, d.name, peer, d.theirs, d.ours, d.why)
	}
	_ = w.Flush()
}

// askUs judges the tokens as a service that uses authn does.
func askUs(ctx context.Context, env environment, cases []tokenCase, tokens []string) (map[opinion]verdict, error) {
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL(env.APIURL), wrapper.WithSecretKey(env.SecretKey))
	if err != nil {
		return nil, err
	}
	verdicts := map[opinion]verdict{}
	for _, mode := range modes {
		opts := []authn.Option{authn.WithClockSkew(skew)}
		if mode == pemMode {
			opts = append(opts, authn.WithJWTKey(env.JWTKey))
		}
		auth, err := authn.New(client, opts...)
		if err != nil {
			return nil, err
		}
		for i, c := range cases {
			verdicts[opinion{accept: c.accept, name: c.name, mode: mode}] = ourVerdict(ctx, auth, tokens[i], c.accept)
		}
		if err := auth.Close(); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
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

// askJS has @clerk/backend judge the tokens.
func askJS(ctx context.Context, env environment, cases []tokenCase, tokens []string, verdicts map[opinion]verdict) error {
	type jsCase struct {
		Name   string          `json:"name"`
		Accept authn.TokenType `json:"accept"`
		Token  string          `json:"token"`
	}
	input := struct {
		Environment environment `json:"environment"`
		ClockSkew   int64       `json:"clockSkewInMs"`
		Cases       []jsCase    `json:"cases"`
	}{Environment: env, ClockSkew: skew.Milliseconds()}
	for i, c := range cases {
		input.Cases = append(input.Cases, jsCase{c.name, c.accept, tokens[i]})
	}
	err := script(ctx, "verdicts.mjs", input, func(line []byte) error {
		var said struct {
			verdict
			Case, Mode string
			Accept     authn.TokenType
		}
		if err := json.Unmarshal(line, &said); err != nil {
			return err
		}
		verdicts[opinion{accept: said.Accept, name: said.Case, peer: clerkBackend, mode: said.Mode}] = said.verdict
		return nil
	})
	if want := len(cases) * len(modes); len(verdicts) != want {
		err = errors.Join(err, fmt.Errorf("it gave %d verdicts, of %d", len(verdicts), want))
	}
	return err
}

// askGo has clerk-sdk-go judge the tokens. jwt.Verify is all that it has for a JWT of any kind.
func askGo(ctx context.Context, env environment, cases []tokenCase, tokens []string, verdicts map[opinion]verdict) {
	for _, mode := range modes {
		for i, c := range cases {
			verdicts[opinion{accept: c.accept, name: c.name, peer: clerkSDKGo, mode: mode}] = goVerdict(ctx, env, mode, tokens[i], c.accept)
		}
	}
}

func goVerdict(ctx context.Context, env environment, mode, token string, accept authn.TokenType) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = verdict{Decision: crashes, Why: fmt.Sprint(p)}
		}
	}()
	params := &jwt.VerifyParams{Token: token, Leeway: skew, JWKSClient: jwks.NewClient(goConfig(env, env.SecretKey))}
	if mode == pemMode {
		key, err := clerk.JSONWebKeyFromPEM(env.JWTKey)
		if err != nil {
			return verdict{Decision: crashes, Why: err.Error()}
		}
		params.JWK = key
	}
	claims, err := jwt.Verify(ctx, params)
	if err != nil {
		return verdict{Decision: refuses, Why: err.Error()}
	}
	auth := map[string]any{"subject": claims.Subject}
	if accept == authn.SessionToken {
		auth = map[string]any{"userId": claims.Subject, "sessionId": claims.SessionID}
	}
	fields, err := json.Marshal(auth)
	if err != nil {
		return verdict{Decision: crashes, Why: err.Error()}
	}
	return verdict{Decision: accepts, Auth: fields}
}
