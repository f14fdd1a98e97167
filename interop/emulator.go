package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// emulator is m2mtest with the machines and the user that the peers are told of.
type emulator struct {
	*m2mtest.Server
	env environment
}

func startEmulator(opts ...m2mtest.Option) (*emulator, error) {
	s, err := m2mtest.New(opts...)
	if err != nil {
		return nil, err
	}
	if err := s.Start("127.0.0.1:0"); err != nil {
		return nil, err
	}
	callee, stranger := s.AddMachine("callee"), s.AddMachine("stranger")
	caller := s.AddMachine("caller", callee.ID)
	user := s.UserID()
	return &emulator{s, environment{
		APIURL: s.URL(), SecretKey: s.SecretKey(), PublishableKey: s.PublishableKey(), JWTKey: s.JWTKey(),
		Caller: known(caller), Callee: known(callee), Stranger: known(stranger), User: user,
		Tokens: tokensEnv{
			Session:     s.MintSession(user, m2mtest.ExpiresIn(lifetime)),
			OAuthOpaque: string(s.MintOAuth(user).Token),
			OAuthJWT:    s.MintOAuthJWT(user),
		},
	}}, nil
}

// lifetime is longer than a run.
const lifetime = time.Hour

func known(m m2mtest.Machine) machineEnv { return machineEnv{ID: m.ID, SecretKey: string(m.SecretKey)} }

// withoutKey has the keys fetched.
func (e environment) withoutKey() environment {
	e.JWTKey = ""
	return e
}

// forge makes a token. That it is bad is not the emulator's doing: its Mint methods are told to.
func (e *emulator) forge(ctx context.Context, f forged) (token string, err error) {
	switch f.minting {
	case mintJWT:
		token, err = e.mintJWT(f.kind, f.how)
		if f.rawHeader != nil || f.rawPayload != nil {
			var header, payload string
			if header, payload, err = decode(token); err != nil {
				return "", err
			}
			if f.rawHeader != nil {
				header = f.rawHeader(header)
			}
			if f.rawPayload != nil {
				payload = f.rawPayload(payload)
			}
			token, err = e.mintJWT(f.kind, []m2mtest.MintOption{m2mtest.RawHeader(header), m2mtest.RawPayload(payload)})
		}
	case createJWT:
		created, createErr := e.MachineClient(e.env.Caller.ID).M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{TokenFormat: new(wrapper.TokenFormatJWT)})
		if createErr != nil {
			return "", createErr
		}
		token = string(created.Token)
	case mintOpaque:
		token, err = e.mintOpaque(f.kind, f.how)
	case unknown:
	}
	if err == nil && f.afterwards != nil {
		token = f.afterwards(token)
	}
	return token, err
}

func (e *emulator) mintJWT(kind authn.TokenType, how []m2mtest.MintOption) (string, error) {
	how = append([]m2mtest.MintOption{m2mtest.ExpiresIn(lifetime)}, how...)
	switch kind {
	case authn.M2MToken:
		return e.MintJWT(e.env.Caller.ID, how...), nil
	case authn.OAuthToken:
		return e.MintOAuthJWT(e.env.User, append([]m2mtest.MintOption{m2mtest.Scopes("profile", "email")}, how...)...), nil
	case authn.SessionToken:
		return e.MintSession(e.env.User, how...), nil
	}
	return "", fmt.Errorf("there is no JWT of the kind %s", kind)
}

func (e *emulator) mintOpaque(kind authn.TokenType, how []m2mtest.MintOption) (string, error) {
	claims := m2mtest.CustomClaims(map[string]any{"tenant": map[string]any{"id": "acme"}})
	switch kind {
	case authn.M2MToken:
		return string(e.MintM2M(e.env.Caller.ID, append([]m2mtest.MintOption{claims}, how...)...).Token), nil
	case authn.APIKey:
		return string(e.MintAPIKey(e.env.User, append([]m2mtest.MintOption{claims, m2mtest.Scopes("read")}, how...)...).Secret), nil
	case authn.OAuthToken:
		return string(e.MintOAuth(e.env.User, append([]m2mtest.MintOption{m2mtest.Scopes("profile", "email")}, how...)...).Token), nil
	}
	return "", fmt.Errorf("there is no opaque token of the kind %s", kind)
}

// trial is a way to verify tokens of this emulator.
func (e *emulator) trial(ctx context.Context, mode string, env environment, cases []tokenCase) (trial, error) {
	t := trial{mode: mode, env: env, cases: cases}
	for _, c := range cases {
		token, err := e.forge(ctx, c.forged)
		if err != nil {
			return t, fmt.Errorf("%s, %s: %w", c.accept, c.name, err)
		}
		t.tokens = append(t.tokens, token)
	}
	return t, nil
}

// decode gives the JSON of a JWT's header and payload.
func decode(token string) (header, payload string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", "", fmt.Errorf("a JWT has 3 parts, not %d", len(parts))
	}
	h, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return "", "", err
	}
	p, err := base64.RawURLEncoding.DecodeString(parts[1])
	return string(h), string(p), err
}
