package authn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// opaqueTest is what Clerk answers about an opaque token, and what that means.
type opaqueTest struct {
	status int
	body   string
	err    error // of the transport
	reason authn.Reason
	cause  error // nil: signed in
}

func (test opaqueTest) run(t *testing.T) {
	t.Parallel()
	backend := &clerk{err: test.err, verify: func(string) (int, string) { return test.status, test.body }}
	s := authenticate(t, newAuthenticator(t, backend.client(t)), "mt_secrettoken", authn.AnyToken()...)
	if test.cause == nil {
		wantSignedIn(t, s)
		return
	}
	wantDenied(t, s, test.reason, test.cause)
	if s.TokenType != authn.M2MToken {
		t.Errorf("token type %q", s.TokenType)
	}
	if cannot := errors.Is(s.Err, authn.ErrCannotDecide); cannot != (test.cause == authn.ErrCannotDecide) {
		t.Errorf("cannot decide: %t", cannot)
	}
}

func TestOpaqueToken(t *testing.T) {
	t.Parallel()
	refusal := `{"errors":[{"code":"c","message":"mt_secrettoken is bad"}]}`
	without := func(s string) string { return strings.Replace(m2mReply(""), s, "", 1) }
	past := time.Now().Add(-time.Second).UnixMilli()
	for name, test := range map[string]opaqueTest{
		"good":                   {status: 200, body: m2mReply("")},
		"good, with unknown":     {status: 200, body: m2mReply(`"new_field":{"a":1},`)},
		"good, not expired yet":  {status: 200, body: strings.Replace(m2mReply(""), `"expiration":null`, fmt.Sprintf(`"expiration":%d`, past+60_000), 1)},
		"revoked":                {status: 200, body: strings.Replace(m2mReply(""), `"revoked":false`, `"revoked":true`, 1), reason: "token-invalid", cause: authn.ErrTokenDead},
		"expired":                {status: 200, body: strings.Replace(m2mReply(""), `"expired":false`, `"expired":true`, 1), reason: "token-invalid", cause: authn.ErrTokenDead},
		"past its expiration":    {status: 200, body: strings.Replace(m2mReply(""), `"expiration":null`, fmt.Sprintf(`"expiration":%d`, past), 1), reason: "token-invalid", cause: authn.ErrExpired},
		"inactive":               {status: 200, body: `{"active":false}`, reason: "token-invalid", cause: authn.ErrTokenDead},
		"another object":         {status: 200, body: strings.Replace(m2mReply(""), "machine_to_machine_token", "api_key", 1), reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"no object":              {status: 200, body: without(`"object":"machine_to_machine_token",`), reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"no subject":             {status: 200, body: without(fmt.Sprintf(`"subject":%q,`, machineA)), reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"no JSON":                {status: 200, body: "<html>", reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"created":                {status: 201, body: m2mReply(""), reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"nothing":                {status: 204, reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"moved":                  {status: 302, reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"bad request":            {status: 400, body: refusal, reason: "unexpected-error", cause: authn.ErrTokenRefused},
		"our secret is refused":  {status: 401, body: refusal, reason: "secret-key-invalid", cause: authn.ErrCannotDecide},
		"forbidden":              {status: 403, body: refusal, reason: "unexpected-error", cause: authn.ErrForbidden},
		"not found":              {status: 404, body: refusal, reason: "token-invalid", cause: authn.ErrTokenRefused},
		"conflict":               {status: 409, body: refusal, reason: "unexpected-error", cause: authn.ErrTokenRefused},
		"request timeout":        {status: 408, body: refusal, reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"unprocessable":          {status: 422, body: refusal, reason: "unexpected-error", cause: authn.ErrTokenRefused},
		"too many":               {status: 429, body: refusal, reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"internal error":         {status: 500, body: refusal, reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"bad gateway":            {status: 502, body: "<html>", reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"connection refused":     {err: errors.New("connection refused"), reason: "unexpected-error", cause: authn.ErrCannotDecide},
		"context within a reply": {err: context.Canceled, reason: "unexpected-error", cause: authn.ErrCannotDecide},
	} {
		t.Run(name, test.run)
	}
}

func TestImplausibleOpaqueTokens(t *testing.T) {
	t.Parallel()
	backend := &clerk{verify: live}
	auth := newAuthenticator(t, backend.client(t))
	for _, token := range []string{"mt_", "ak_", "oat_", "mt_a b", "mt_\x00", "mt_é", "mt_\r\nX: y", `mt_"`, "mt_" + strings.Repeat("a", 2000)} {
		s := authenticate(t, auth, token, authn.AnyToken()...)
		if s.Status != authn.SignedOut || s.Reason != authn.ReasonTokenInvalid {
			t.Errorf("%.20q: %+v", token, s)
		}
	}
	if n := backend.count("/m2m_tokens/verify") + backend.count("/api_keys/verify") + backend.count("/oauth_applications/access_tokens/verify"); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestAPIKeySubjects(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]authn.APIKeyAuth{
		"user_1": {UserID: "user_1"}, "org_1": {OrgID: "org_1"}, "mch_1": {MachineID: "mch_1"},
	} {
		backend := &clerk{verify: func(string) (int, string) {
			return 200, fmt.Sprintf(`{"object":"api_key","id":"ak_1","type":"api_key","name":"n","subject":%q,"scopes":["s"],"claims":null,"revoked":false,`+
				`"revocation_reason":null,"expired":false,"expiration":null,"created_by":null,"last_used_at":null,"created_at":1,"updated_at":1}`, subject)
		}}
		s := authenticate(t, newAuthenticator(t, backend.client(t)), "ak_secret", authn.APIKey)
		wantSignedIn(t, s)
		k := s.Auth.(*authn.APIKeyAuth)
		if k.UserID != want.UserID || k.OrgID != want.OrgID || k.MachineID != want.MachineID || k.Name != "n" || k.Claims != "" || !k.ExpiresAt.IsZero() {
			t.Errorf("%s: %+v", subject, k)
		}
	}
}

func TestClaimsKeepTheirDigits(t *testing.T) {
	t.Parallel()
	backend := &clerk{verify: live}
	auth := newAuthenticator(t, backend.client(t))
	m := authenticate(t, auth, "mt_1", authn.M2MToken).Auth.(*authn.M2MAuth)
	var claims struct{ N uint64 }
	if err := m.Claims.Decode(&claims); err != nil || claims.N != 12345678901234567890 {
		t.Errorf("got %d, %v", claims.N, err)
	}
	if err := m.Claims.Decode(&[]int{}); err == nil {
		t.Error("an object was decoded into a slice")
	}
	if err := authn.Claims("").Decode(&claims); err == nil {
		t.Error("no claims were decoded")
	}
}

// 1,000 requests at once with one token are one call at a time, and with a cache one in all.
func TestSharedVerification(t *testing.T) {
	for name, maxAge := range map[string]time.Duration{"cache off": 0, "cache on": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := &clerk{verify: live, delay: 100 * time.Millisecond}
				auth := newAuthenticator(t, backend.client(t), authn.WithTokenCache(authn.TokenCache{OpaqueMaxAge: maxAge}))
				var wg sync.WaitGroup
				states := make([]*authn.State, 1000)
				for i := range states {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * time.Millisecond)
						states[i], _ = auth.AuthenticateToken(t.Context(), "mt_1", authn.M2MToken)
					})
				}
				wg.Wait()
				for _, s := range states {
					wantSignedIn(t, s)
					m := s.Auth.(*authn.M2MAuth)
					if m.Scopes[0] != machineB {
						t.Fatal("one caller's change shows in another's state")
					}
					m.Scopes[0] = "mch_evil"
				}
				calls := backend.count("/m2m_tokens/verify")
				if backend.most != 1 || maxAge > 0 && calls != 1 || maxAge == 0 && (calls < 9 || calls > 11) {
					t.Errorf("%d calls, %d at once", calls, backend.most)
				}
			})
		})
	}
}

// A caller that goes away takes nobody along; a call that nobody waits for ends.
func TestWaitersKeepTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &clerk{verify: live, delay: time.Second}
		auth := newAuthenticator(t, backend.client(t))
		first, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			s := authenticateContext(first, t, auth, "mt_1", authn.M2MToken)
			wantDenied(t, s, authn.ReasonUnexpectedError, authn.ErrCannotDecide)
			if !errors.Is(s.Err, context.DeadlineExceeded) {
				t.Error(s.Err)
			}
		})
		wg.Go(func() { wantSignedIn(t, authenticate(t, auth, "mt_1", authn.M2MToken)) })
		wg.Wait()
		if n := backend.count("/m2m_tokens/verify"); n != 1 {
			t.Errorf("%d calls", n)
		}

		backend.set(func(c *clerk) { c.delay = time.Hour })
		alone, cancel := context.WithCancel(t.Context())
		wg.Go(func() { authenticateContext(alone, t, auth, "mt_2", authn.M2MToken) })
		synctest.Wait()
		cancel()
		wg.Wait()
		synctest.Wait()
		if backend.now != 0 {
			t.Error("a call that nobody waits for goes on")
		}
		backend.set(func(c *clerk) { c.delay = 0 })
		wantSignedIn(t, authenticate(t, auth, "mt_2", authn.M2MToken)) // the next one begins anew
	})
}

func TestFailuresAreNotRemembered(t *testing.T) {
	t.Parallel()
	good := false
	backend := &clerk{verify: func(string) (int, string) {
		if good {
			return 200, m2mReply("")
		}
		return 404, "{}"
	}}
	auth := newAuthenticator(t, backend.client(t), authn.WithTokenCache(authn.TokenCache{OpaqueMaxAge: time.Hour}))
	wantDenied(t, authenticate(t, auth, "mt_1", authn.M2MToken), authn.ReasonTokenInvalid, authn.ErrTokenRefused)
	good = true
	wantSignedIn(t, authenticate(t, auth, "mt_1", authn.M2MToken))
}

func TestTokenCacheAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expires := time.Now().Add(10 * time.Minute)
		backend := &clerk{verify: func(string) (int, string) {
			return 200, strings.Replace(m2mReply(""), `"expiration":null`, fmt.Sprintf(`"expiration":%d`, expires.UnixMilli()), 1)
		}}
		auth := newAuthenticator(t, backend.client(t), authn.WithTokenCache(authn.TokenCache{Size: 2, OpaqueMaxAge: 4 * time.Minute}))
		calls := func() int { return backend.count("/m2m_tokens/verify") }
		wantSignedIn(t, authenticate(t, auth, "mt_1", authn.M2MToken))
		time.Sleep(4*time.Minute - 1)
		wantSignedIn(t, authenticate(t, auth, "mt_1", authn.M2MToken))
		if calls() != 1 {
			t.Errorf("%d calls within the age", calls())
		}
		time.Sleep(time.Nanosecond)
		wantSignedIn(t, authenticate(t, auth, "mt_1", authn.M2MToken)) // the age does not slide
		if calls() != 2 {
			t.Errorf("%d calls after the age", calls())
		}
		time.Sleep(3 * time.Minute)
		wantSignedIn(t, authenticate(t, auth, "mt_1", authn.M2MToken))
		time.Sleep(time.Minute)
		wantSignedIn(t, authenticate(t, auth, "mt_1", authn.M2MToken))
		time.Sleep(2 * time.Minute) // before the age, at the expiry
		wantDenied(t, authenticate(t, auth, "mt_1", authn.M2MToken), authn.ReasonTokenInvalid, authn.ErrExpired)
		if calls() != 4 {
			t.Errorf("%d calls", calls())
		}
		wantDenied(t, authenticate(t, auth, "mt_1", authn.APIKey), authn.ReasonTokenTypeMismatch, authn.ErrTokenType)

		before := calls() // bounded: of three tokens two are remembered
		expires = time.Now().Add(time.Hour)
		for range 2 {
			for _, token := range []string{"mt_a", "mt_b", "mt_c"} {
				wantSignedIn(t, authenticate(t, auth, token, authn.M2MToken))
			}
		}
		if n := calls() - before; n != 6 {
			t.Errorf("%d calls", n)
		}
	})
}

// A remembered JWT is refused as what it is not, and after its expiry.
func TestRememberedJWT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := newPEM(t, &keyA().PublicKey)
		token := sign(t, keyA(), "RS256", sessionHeader, sessionClaims(time.Now(), ""))
		for range 2 {
			wantSignedIn(t, authenticate(t, auth, token))
		}
		wantDenied(t, authenticate(t, auth, token, authn.M2MToken), authn.ReasonTokenTypeMismatch, authn.ErrTokenType)
		time.Sleep(time.Minute + 4*time.Second) // within the skew
		wantSignedIn(t, authenticate(t, auth, token))
		time.Sleep(time.Second)
		wantDenied(t, authenticate(t, auth, token), authn.ReasonSessionTokenExpired, authn.ErrExpired)
	})
}

func TestNetworkVerification(t *testing.T) {
	t.Parallel()
	now := time.Now()
	backend := &clerk{verify: live}
	auth := newAuthenticator(t, backend.client(t), authn.WithJWTKey(publicPEM(t, &keyA().PublicKey)), authn.WithNetworkVerification())
	token := m2mJWT(t, "ins_1", keyA(), now)
	for range 2 { // as for an opaque token, nothing is remembered unless asked for
		wantSignedIn(t, authenticate(t, auth, token, authn.M2MToken))
	}
	expired := sign(t, keyA(), "RS256", m2mHeader, m2mClaims(now.Add(-2*time.Hour), ""))
	wantDenied(t, authenticate(t, auth, expired, authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrExpired)
	none := sign(t, keyA(), "RS256", strings.Replace(m2mHeader, "RS256", "none", 1), m2mClaims(now, ""))
	wantDenied(t, authenticate(t, auth, none, authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrAlgorithm)
	if n := backend.count("/m2m_tokens/verify"); n != 2 || backend.auth[0] != "Bearer ak_machine" {
		t.Errorf("%d calls, as %q", n, backend.auth)
	}
	backend.verify = func(string) (int, string) { return 404, "{}" }
	wantDenied(t, authenticate(t, auth, token, authn.M2MToken), authn.ReasonTokenInvalid, authn.ErrTokenRefused)
}

// What Clerk verified and the policy denies stays denied, whatever is remembered; and a JWT's own exp
// ends what is remembered of it.
func TestRememberedNetworkVerification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &clerk{verify: live}
		cache := authn.WithTokenCache(authn.TokenCache{OpaqueMaxAge: 2 * time.Hour})
		auth := newAuthenticator(t, backend.client(t), authn.WithNetworkVerification(), cache, authn.WithAllowedMachines(machineB))
		token := m2mJWT(t, "ins_1", keyA(), time.Now())
		for range 3 {
			wantDenied(t, authenticate(t, auth, token, authn.M2MToken), authn.ReasonMachineNotAllowed, authn.ErrForbidden)
			wantDenied(t, authenticate(t, auth, "mt_1", authn.M2MToken), authn.ReasonMachineNotAllowed, authn.ErrForbidden)
		}
		auth = newAuthenticator(t, backend.client(t), authn.WithNetworkVerification(), cache)
		for range 3 {
			wantSignedIn(t, authenticate(t, auth, token, authn.M2MToken))
		}
		if n := backend.count("/m2m_tokens/verify"); n != 7 {
			t.Errorf("%d calls", n)
		}
		time.Sleep(time.Hour + 5*time.Second)
		wantDenied(t, authenticate(t, auth, token, authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrExpired)
	})
}

func TestScopesWarning(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		opts   []wrapper.Option
		accept authn.TokenType
		warns  int
	}{
		{"instance secret only", []wrapper.Option{wrapper.WithSecretKey("sk_test_x")}, authn.M2MToken, 1},
		{"machine secret too", []wrapper.Option{wrapper.WithSecretKey("sk_test_x"), wrapper.WithMachineSecretKey("ak_x")}, authn.M2MToken, 0},
		{"no M2M tokens", []wrapper.Option{wrapper.WithSecretKey("sk_test_x")}, authn.APIKey, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			backend := &clerk{status: http.StatusNotFound}
			client, err := wrapper.New(append(test.opts, wrapper.WithoutEnv(), wrapper.WithHTTPClient(&http.Client{Transport: backend}))...)
			if err != nil {
				t.Fatal(err)
			}
			auth := newAuthenticator(t, client, authn.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			for range 3 {
				authenticate(t, auth, "mt_1", test.accept)
			}
			if n := strings.Count(log.String(), "level=WARN"); n != test.warns || strings.Contains(log.String(), "mt_1") {
				t.Errorf("log:\n%s", log.String())
			}
		})
	}
}
