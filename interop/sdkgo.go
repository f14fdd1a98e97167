package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/apikey"
	clerkhttp "github.com/clerk/clerk-sdk-go/v2/http"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"
	"github.com/clerk/clerk-sdk-go/v2/m2m_token"
	"github.com/clerk/clerk-sdk-go/v2/machine"
	"github.com/clerk/clerk-sdk-go/v2/machinescope"
)

// runGoSDK makes every machine-auth call that clerk-sdk-go has.
func runGoSDK(ctx context.Context, r *report, env environment) {
	s := &goSDK{ctx, r, env}
	s.tokens()
	s.machines()
	s.apiKeys()
	s.keys()
	r.note("clerk-sdk-go has no call for OAuth access tokens")
}

type goSDK struct {
	ctx context.Context
	r   *report
	env environment
}

func (s *goSDK) config(key string) *clerk.ClientConfig { return goConfig(s.env, key) }

func goConfig(env environment, key string) *clerk.ClientConfig {
	config := &clerk.ClientConfig{}
	config.URL, config.Key = clerk.String(env.APIURL+"/v1"), &key
	config.HTTPClient = &http.Client{Timeout: 30 * time.Second}
	return config
}

func (s *goSDK) tokens() {
	calling, called := m2m_token.NewClient(s.config(s.env.Caller.SecretKey)), m2m_token.NewClient(s.config(s.env.Callee.SecretKey))
	other, instance := m2m_token.NewClient(s.config(s.env.Stranger.SecretKey)), m2m_token.NewClient(s.config(s.env.SecretKey))
	caller, callee := s.env.Caller.ID, s.env.Callee.ID
	claims := json.RawMessage(`{"nested_value":{"camelCase":[1,null,"x"],"big":12345678901234567890},"tenantId":"go"}`)

	var opaque, signed *clerk.M2MTokenWithToken
	s.check("m2m_token.Create opaque", func() (err error) {
		opaque, err = calling.Create(s.ctx, &m2m_token.CreateParams{SecondsUntilExpiration: new(int64(600)), Claims: &claims})
		if err != nil {
			return err
		}
		return errors.Join(
			matches("id", opaque.ID, `^mt_[0-9A-Fa-f]{32}$`), matches("token", opaque.Token, `^mt_\w+$`),
			equal("subject", opaque.Subject, caller), equal("scopes", opaque.Scopes, []string{callee}),
			equal("claims", string(opaque.Claims), string(claims)), equal("revoked", opaque.Revoked, false),
			near("expiration", opaque.Expiration, time.Now().Add(10*time.Minute)), near("created_at", &opaque.CreatedAt, time.Now()),
		)
	})
	if opaque == nil || opaque.Token == "" {
		return // each check below needs it, and this one has failed
	}
	s.check("m2m_token.Create with nothing but defaults", func() error {
		got, err := calling.Create(s.ctx, &m2m_token.CreateParams{}) // sends no lifetime: the machine's default
		return errors.Join(err, near("expiration", got.Expiration, time.Now().Add(time.Hour)))
	})
	s.check("m2m_token.Create reuses a token with MinRemainingTTLSeconds", func() error {
		params := &m2m_token.CreateParams{MinRemainingTTLSeconds: new(int64(300)), SecondsUntilExpiration: new(int64(900))}
		first, err1 := calling.Create(s.ctx, params)
		second, err2 := calling.Create(s.ctx, params)
		return errors.Join(err1, err2, equal("id", second.ID, first.ID), equal("token", second.Token, first.Token))
	})
	s.check("m2m_token.Create jwt", func() (err error) {
		signed, err = calling.Create(s.ctx, &m2m_token.CreateParams{TokenFormat: new("jwt"), SecondsUntilExpiration: new(int64(600))})
		return errors.Join(err, matches("token", signed.Token, `^[\w-]+\.[\w-]+\.[\w-]+$`), equal("subject", signed.Subject, caller))
	})
	s.check("m2m_token.Create refuses a secret that is no machine's", func() error {
		_, err := m2m_token.NewClient(s.config("ak_nobody")).Create(s.ctx, &m2m_token.CreateParams{})
		return refused(err, 401)
	})
	s.check("m2m_token.Create refuses what the spec does not allow", func() error {
		_, err := calling.Create(s.ctx, &m2m_token.CreateParams{TokenFormat: new("paseto")})
		return refused(err, 400)
	})
	s.check("m2m_token.List", func() error {
		list, err := calling.List(s.ctx, &m2m_token.ListParams{Subject: &caller, ListParams: clerk.ListParams{Limit: new(int64(100))}})
		has := slices.ContainsFunc(list.M2MTokens, func(t *clerk.M2MToken) bool { return t.ID == opaque.ID })
		return errors.Join(err, equal("the token is listed", has, true), equal("total_count", int(list.TotalCount), len(list.M2MTokens)))
	})
	s.check("m2m_token.List refuses a machine the tokens of another", func() error {
		_, err := other.List(s.ctx, &m2m_token.ListParams{Subject: &caller})
		return refused(err, 403)
	})
	s.check("m2m_token.Verify opaque", func() error {
		got, err := called.Verify(s.ctx, &m2m_token.VerifyParams{Token: opaque.Token})
		return errors.Join(err, equal("id", got.ID, opaque.ID), equal("subject", got.Subject, caller), equal("scopes", got.Scopes, []string{callee}),
			equal("claims", string(got.Claims), string(claims)), near("last_used_at", got.LastUsedAt, time.Now()))
	})
	s.check("m2m_token.Verify jwt", func() error {
		got, err := called.Verify(s.ctx, &m2m_token.VerifyParams{Token: signed.Token})
		return errors.Join(err, equal("id", got.ID, signed.ID), equal("subject", got.Subject, caller))
	})
	s.check("m2m_token.Verify refuses a token that was not meant for the machine", func() error {
		_, err := other.Verify(s.ctx, &m2m_token.VerifyParams{Token: opaque.Token})
		return refused(err, 404)
	})
	s.check("m2m_token.Revoke", func() error {
		got, err := calling.Revoke(s.ctx, opaque.ID, &m2m_token.RevokeParams{RevocationReason: new("rotated")})
		if err != nil {
			return err
		}
		_, err = instance.Verify(s.ctx, &m2m_token.VerifyParams{Token: opaque.Token})
		return errors.Join(equal("revoked", got.Revoked, true), equal("reason", got.RevocationReason, new("rotated")), refused(err, 404))
	})
	s.check("m2m_token.List shows revoked tokens when asked", func() error {
		list, err := instance.List(s.ctx, &m2m_token.ListParams{Subject: &caller, Revoked: new(true), ListParams: clerk.ListParams{Limit: new(int64(100))}})
		has := slices.ContainsFunc(list.M2MTokens, func(t *clerk.M2MToken) bool { return t.ID == opaque.ID && t.Revoked })
		return errors.Join(err, equal("the token is listed", has, true))
	})
	s.check("m2m_token.Revoke refuses a token that never was", func() error {
		_, err := calling.Revoke(s.ctx, aToken, &m2m_token.RevokeParams{})
		return refused(err, 404)
	})
}

func (s *goSDK) machines() {
	instance, scopes := machine.NewClient(s.config(s.env.SecretKey)), machinescope.NewClient(s.config(s.env.SecretKey))
	mint := func(secret string) error {
		return ignore(m2m_token.NewClient(s.config(secret)).Create(s.ctx, &m2m_token.CreateParams{}))
	}
	callee, stranger := s.env.Callee.ID, s.env.Stranger.ID
	ids := func(machines []*clerk.Machine) (ids []string) {
		for _, m := range machines {
			ids = append(ids, m.ID)
		}
		return ids
	}

	var made *clerk.MachineWithScopedMachinesAndSecretKey
	s.check("machine.Create", func() (err error) {
		made, err = instance.Create(s.ctx, &machine.CreateParams{Name: "interop-go", ScopedMachines: []string{callee}, DefaultTokenTTL: new(int64(120))})
		return errors.Join(err, matches("id", made.ID, `^mch_\w{27}$`), matches("secret_key", made.SecretKey, `^ak_\w+$`),
			equal("default_token_ttl", made.DefaultTokenTTL, 120), equal("scoped_machines", ids(made.ScopedMachines), []string{callee}))
	})
	if made.ID == "" {
		return // each check below needs it, and this one has failed
	}
	s.check("machine.Get", func() error {
		got, err := instance.Get(s.ctx, made.ID)
		return errors.Join(err, equal("name", got.Name, "interop-go"), equal("scoped_machines", ids(got.ScopedMachines), []string{callee}))
	})
	s.check("machine.List", func() error {
		list, err := instance.List(s.ctx, &machine.ListParams{
			Query: new("interop-go"), OrderBy: new("-name"), ListParams: clerk.ListParams{Limit: new(int64(1)), Offset: new(int64(0))},
		})
		if err := errors.Join(err, equal("machines", len(list.Machines), 1)); err != nil {
			return err
		}
		return errors.Join(equal("total_count", list.TotalCount, 1), equal("id", list.Machines[0].ID, made.ID))
	})
	s.check("machine.Update", func() error {
		got, err := instance.Update(s.ctx, made.ID, &machine.UpdateParams{Name: new("interop-go-renamed")})
		return errors.Join(err, equal("name", got.Name, "interop-go-renamed"), equal("default_token_ttl", got.DefaultTokenTTL, 120))
	})
	s.check("machinescope.CreateScope", func() error {
		got, err := scopes.CreateScope(s.ctx, made.ID, &machinescope.CreateScopeParams{ToMachineID: stranger})
		return errors.Join(err, equal("from", got.FromMachineID, made.ID), equal("to", got.ToMachineID, stranger))
	})
	s.check("machinescope.CreateScope refuses a scope that is there", func() error {
		_, err := scopes.CreateScope(s.ctx, made.ID, &machinescope.CreateScopeParams{ToMachineID: stranger})
		return refused(err, 409)
	})
	s.check("machinescope.DeleteScope", func() error {
		got, err := scopes.DeleteScope(s.ctx, made.ID, stranger)
		if err != nil {
			return err
		}
		now, err := instance.Get(s.ctx, made.ID)
		return errors.Join(err, equal("deleted", got.Deleted, true), equal("to", got.ToMachineID, stranger),
			equal("scoped_machines", ids(now.ScopedMachines), []string{callee}))
	})
	s.check("machine.GetSecretKey", func() error {
		got, err := instance.GetSecretKey(s.ctx, made.ID)
		return errors.Join(err, equal("secret", got.Secret == made.SecretKey, true))
	})
	s.check("machine.RotateSecretKey", func() error {
		graceful, err := instance.RotateSecretKey(s.ctx, made.ID, &machine.RotateSecretKeyParams{PreviousTokenTTL: 3600})
		if err != nil {
			return err
		}
		if err := errors.Join(mint(made.SecretKey), mint(graceful.Secret)); err != nil {
			return fmt.Errorf("in the grace period: %w", err)
		}
		hard, err := instance.RotateSecretKey(s.ctx, made.ID, &machine.RotateSecretKeyParams{PreviousTokenTTL: 0})
		if err != nil {
			return err
		}
		return errors.Join(refused(mint(graceful.Secret), 401), mint(hard.Secret))
	})
	s.check("machine.Delete", func() error {
		got, err := instance.Delete(s.ctx, made.ID)
		if err != nil {
			return err
		}
		_, err = instance.Get(s.ctx, made.ID)
		return errors.Join(equal("deleted", got.Deleted, true), equal("id", got.ID, made.ID), refused(err, 404))
	})
	s.check("machine.List refuses a machine's secret", func() error {
		_, err := machine.NewClient(s.config(s.env.Caller.SecretKey)).List(s.ctx, &machine.ListParams{})
		return refused(err, 401)
	})
}

func (s *goSDK) apiKeys() {
	instance := apikey.NewClient(s.config(s.env.SecretKey))
	user := s.env.User
	claims := json.RawMessage(`{"tenantId":"go"}`)
	has := func(list *clerk.APIKeyList, id string) bool {
		return slices.ContainsFunc(list.APIKeys, func(k *clerk.APIKey) bool { return k.ID == id })
	}

	var key *clerk.APIKeyWithSecret
	s.check("apikey.Create", func() (err error) {
		key, err = instance.Create(s.ctx, &apikey.CreateParams{
			Name: new("interop go"), Subject: &user, Claims: claims, Scopes: []string{"read"}, SecondsUntilExpiration: new(int64(600)),
		})
		return errors.Join(err, matches("id", key.ID, `^ak_[0-9A-Fa-f]{32}$`), matches("secret", key.Secret, `^ak_\w+$`),
			equal("subject", key.Subject, user), equal("scopes", key.Scopes, []string{"read"}), equal("claims", string(key.Claims), string(claims)),
			near("expiration", key.Expiration, time.Now().Add(10*time.Minute)))
	})
	if key.ID == "" {
		return // each check below needs it, and this one has failed
	}
	s.check("apikey.Get", func() error {
		got, err := instance.Get(s.ctx, key.ID)
		return errors.Join(err, equal("name", got.Name, "interop go"))
	})
	s.check("apikey.List", func() error {
		list, err := instance.List(s.ctx, &apikey.ListParams{Subject: &user, ListParams: clerk.ListParams{Limit: new(int64(100))}})
		return errors.Join(err, equal("the key is listed", has(list, key.ID), true))
	})
	s.check("apikey.Update", func() error {
		got, err := instance.Update(s.ctx, key.ID, &apikey.UpdateParams{Scopes: []string{"read", "write"}, Description: new("changed")})
		return errors.Join(err, equal("scopes", got.Scopes, []string{"read", "write"}), equal("description", got.Description, new("changed")))
	})
	s.check("apikey.GetSecret", func() error {
		got, err := instance.GetSecret(s.ctx, key.ID)
		return errors.Join(err, equal("secret", got.Secret == key.Secret, true))
	})
	s.check("apikey.Verify", func() error {
		got, err := instance.Verify(s.ctx, &apikey.VerifyParams{Secret: key.Secret})
		return errors.Join(err, equal("id", got.ID, key.ID), equal("subject", got.Subject, user))
	})
	s.check("apikey.Verify refuses a key that never was", func() error {
		_, err := instance.Verify(s.ctx, &apikey.VerifyParams{Secret: "ak_nobody"})
		return refused(err, 404)
	})
	s.check("apikey.Revoke", func() error {
		got, err := instance.Revoke(s.ctx, key.ID, &apikey.RevokeParams{RevocationReason: new("leaked")})
		if err != nil {
			return err
		}
		_, verifyErr := instance.Verify(s.ctx, &apikey.VerifyParams{Secret: key.Secret})
		valid, err1 := instance.List(s.ctx, &apikey.ListParams{Subject: &user})
		all, err2 := instance.List(s.ctx, &apikey.ListParams{Subject: &user, IncludeInvalid: new("true"), ListParams: clerk.ListParams{Limit: new(int64(100))}})
		return errors.Join(equal("revoked", got.Revoked, true), refused(verifyErr, 404), err1, err2,
			equal("listed among the valid", has(valid, key.ID), false), equal("listed among all", has(all, key.ID), true))
	})
	s.check("apikey.Delete", func() error {
		got, err := instance.Delete(s.ctx, key.ID)
		if err != nil {
			return err
		}
		_, err = instance.Get(s.ctx, key.ID)
		return errors.Join(equal("deleted", got.Deleted, true), refused(err, 404))
	})
}

func (s *goSDK) keys() {
	client := jwks.NewClient(s.config(s.env.SecretKey))
	s.check("jwks.Get", func() error {
		set, err := client.Get(s.ctx, &jwks.GetParams{})
		if err := errors.Join(err, equal("keys", len(set.Keys), 1)); err != nil {
			return err
		}
		return errors.Join(matches("kid", set.Keys[0].KeyID, `^ins_\w+$`), equal("alg", set.Keys[0].Algorithm, "RS256"))
	})
	s.check("jwt.Verify session", func() error {
		claims, err := jwt.Verify(s.ctx, &jwt.VerifyParams{Token: s.env.Tokens.Session, JWKSClient: client})
		if err != nil {
			return err
		}
		return equal("sub", claims.Subject, s.env.User)
	})
	s.check("http.RequireHeaderAuthorization session", func() error {
		var subject string
		handler := clerkhttp.RequireHeaderAuthorization(clerkhttp.JWKSClient(client))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if claims, ok := clerk.SessionClaimsFromContext(r.Context()); ok {
				subject = claims.Subject
			}
		}))
		ask := func(token string) int {
			req := httptest.NewRequestWithContext(s.ctx, http.MethodGet, "/", nil)
			req.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			return w.Code
		}
		return errors.Join(equal("status", ask(s.env.Tokens.Session), 200), equal("subject", subject, s.env.User),
			equal("status of a token that was tampered with", ask(s.env.Tokens.Session+"A"), 401))
	})
}

func (s *goSDK) check(name string, f func() error) { s.r.check(name, f()) }

// refused tells whether err is Clerk's refusal with this status, whole: codes, texts and a trace id.
func refused(err error, status int) error {
	var refusal *clerk.APIErrorResponse
	if !errors.As(err, &refusal) {
		return fmt.Errorf("not refused with %d: %w", status, orNone(err))
	}
	if len(refusal.Errors) == 0 {
		return errors.New("no errors")
	}
	e := refusal.Errors[0]
	return errors.Join(equal("status", refusal.Response.StatusCode, status), matches("code", e.Code, `^[a-z0-9_]+$`),
		matches("message", e.Message, `.`), matches("long_message", e.LongMessage, `.`), matches("clerk_trace_id", refusal.TraceID, `.`))
}

func orNone(err error) error {
	if err == nil {
		return errors.New("it succeeded")
	}
	return err
}

func equal[T any](what string, got, want T) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("%s: %s, not %s", what, jsonOf(got), jsonOf(want))
}

func matches(what, got, pattern string) error {
	if regexp.MustCompile(pattern).MatchString(got) {
		return nil
	}
	return fmt.Errorf("%s: %q does not match %s", what, got, pattern)
}

// near tells whether a time in milliseconds is within a minute of want.
func near(what string, ms *int64, want time.Time) error {
	if ms == nil {
		return fmt.Errorf("%s: null", what)
	}
	if d := time.UnixMilli(*ms).Sub(want).Abs(); d > time.Minute {
		return fmt.Errorf("%s: %v off", what, d)
	}
	return nil
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
