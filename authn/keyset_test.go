package authn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// remembering or not must make no difference to any of these.
func bothCaches(t *testing.T, test func(*testing.T, authn.Option)) {
	for name, c := range map[string]authn.TokenCache{"remembered": {}, "cold": {Size: -1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, authn.WithTokenCache(c)) })
		})
	}
}

func TestKeysRotate(t *testing.T) {
	a, b := keyA(), keyB()
	bothCaches(t, func(t *testing.T, cache authn.Option) {
		backend := &clerk{jwks: jwks(jwk("ins_1", a))}
		auth := newAuthenticator(t, backend.client(t), cache)
		old, young := m2mJWT(t, "ins_1", a, time.Now()), m2mJWT(t, "ins_2", b, time.Now())
		wantSignedIn(t, authenticate(t, auth, old, authn.M2MToken))

		backend.set(func(c *clerk) { c.jwks = jwks(jwk("ins_1", a), jwk("ins_2", b)) })
		wantSignedIn(t, authenticate(t, auth, young, authn.M2MToken)) // fetched for the unknown id, at once
		wantSignedIn(t, authenticate(t, auth, old, authn.M2MToken))

		backend.set(func(c *clerk) { c.jwks = jwks(jwk("ins_2", b)) })
		for range 60 { // a stream of unknown key ids changes nothing
			time.Sleep(5 * time.Second)
			wantDenied(t, authenticate(t, auth, m2mJWT(t, "ins_x", a, time.Now()), authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrUnknownKey)
			wantSignedIn(t, authenticate(t, auth, young, authn.M2MToken))
		}
		wantDenied(t, authenticate(t, auth, old, authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrUnknownKey)
		if n := backend.count("/jwks"); n > 2+300/30+1 {
			t.Errorf("%d fetches in five minutes", n)
		}
	})
}

func TestKeysRotateWithoutUnknownIDs(t *testing.T) {
	a, b := keyA(), keyB()
	bothCaches(t, func(t *testing.T, cache authn.Option) {
		backend := &clerk{jwks: jwks(jwk("ins_1", a))}
		auth := newAuthenticator(t, backend.client(t), cache)
		old := m2mJWT(t, "ins_1", a, time.Now())
		wantSignedIn(t, authenticate(t, auth, old, authn.M2MToken))
		backend.set(func(c *clerk) { c.jwks = jwks(jwk("ins_2", b)) })
		time.Sleep(4 * time.Minute)
		wantSignedIn(t, authenticate(t, auth, old, authn.M2MToken)) // starts the refresh in the background
		synctest.Wait()
		wantDenied(t, authenticate(t, auth, old, authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrUnknownKey)
	})
	synctest.Test(t, func(t *testing.T) { // and after a quiet time the first request already sees the new set
		backend := &clerk{jwks: jwks(jwk("ins_1", a))}
		auth := newAuthenticator(t, backend.client(t))
		old := m2mJWT(t, "ins_1", a, time.Now())
		wantSignedIn(t, authenticate(t, auth, old, authn.M2MToken))
		backend.set(func(c *clerk) { c.jwks = jwks(jwk("ins_2", b)) })
		time.Sleep(20 * time.Minute)
		wantDenied(t, authenticate(t, auth, old, authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrUnknownKey)
	})
}

// A key that stays in the set under its id is another key if its material changed.
func TestKeyReplacedUnderItsID(t *testing.T) {
	a, b := keyA(), keyB()
	bothCaches(t, func(t *testing.T, cache authn.Option) {
		backend := &clerk{jwks: jwks(jwk("ins_1", a))}
		auth := newAuthenticator(t, backend.client(t), cache)
		old := m2mJWT(t, "ins_1", a, time.Now())
		wantSignedIn(t, authenticate(t, auth, old, authn.M2MToken))
		backend.set(func(c *clerk) { c.jwks = jwks(jwk("ins_1", b)) })
		time.Sleep(6 * time.Minute)
		wantDenied(t, authenticate(t, auth, old, authn.M2MToken), authn.ReasonTokenVerificationFailed, authn.ErrSignature)
	})
}

func TestKeysOutage(t *testing.T) {
	a := keyA()
	bothCaches(t, func(t *testing.T, cache authn.Option) {
		backend := &clerk{jwks: jwks(jwk("ins_1", a))}
		auth := newAuthenticator(t, backend.client(t), cache)
		wantSignedIn(t, authenticate(t, auth, m2mJWT(t, "ins_1", a, time.Now()), authn.M2MToken))
		backend.set(func(c *clerk) { c.status = http.StatusInternalServerError })
		start, token := time.Now(), m2mJWT(t, "ins_1", a, time.Now())
		for time.Since(start) < time.Hour-time.Minute {
			wantSignedIn(t, authenticate(t, auth, token, authn.M2MToken))
			time.Sleep(20 * time.Second)
		}
		if n := backend.count("/jwks"); n < 60 || n > 200 {
			t.Errorf("%d fetches in an hour of failures", n)
		}
		time.Sleep(2 * time.Minute)
		fresh := m2mJWT(t, "ins_1", a, time.Now())
		s := authenticate(t, auth, fresh, authn.M2MToken)
		wantDenied(t, s, authn.ReasonUnexpectedError, authn.ErrCannotDecide)
		if !errors.Is(s.Err, wrapper.ErrUnavailable) {
			t.Errorf("the cause is lost: %v", s.Err)
		}
		backend.set(func(c *clerk) { c.status = 0 })
		time.Sleep(time.Minute)
		wantSignedIn(t, authenticate(t, auth, fresh, authn.M2MToken))
	})
}

func TestKeysNeverFetched(t *testing.T) {
	t.Parallel()
	token := sign(t, keyA(), "RS256", sessionHeader, sessionClaims(time.Now(), ""))
	tests := map[string]struct {
		status int
		reason authn.Reason
	}{
		"our secret is refused": {http.StatusUnauthorized, authn.ReasonSecretKeyInvalid},
		"overload":              {http.StatusTooManyRequests, authn.ReasonKeysFailedToLoad},
		"outage":                {http.StatusBadGateway, authn.ReasonKeysFailedToLoad},
		"gone":                  {http.StatusNotFound, authn.ReasonKeysFailedToLoad},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			backend := &clerk{jwks: jwks(jwk("ins_1", keyA())), status: test.status}
			auth := newAuthenticator(t, backend.client(t))
			wantDenied(t, authenticate(t, auth, token), test.reason, authn.ErrCannotDecide)
			backend.set(func(c *clerk) { c.status = 0 })
			wantSignedIn(t, authenticate(t, auth, token)) // one failure does not hold the next request up
		})
	}
}

func TestUnknownKeyFlood(t *testing.T) {
	for _, warm := range []bool{false, true} {
		t.Run(fmt.Sprintf("warm=%t", warm), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := &clerk{jwks: jwks(jwk("ins_1", keyA())), delay: 30 * time.Millisecond}
				auth := newAuthenticator(t, backend.client(t))
				good := m2mJWT(t, "ins_1", keyA(), time.Now())
				if warm {
					wantSignedIn(t, authenticate(t, auth, good, authn.M2MToken))
				}
				before := backend.count("/jwks")
				_, rest, _ := strings.Cut(good, ".")
				var wg sync.WaitGroup
				for i := range 10_000 {
					token := encode(fmt.Sprintf(`{"alg":"RS256","kid":"ins_x%d"}`, i)) + "." + rest
					wg.Go(func() {
						time.Sleep(time.Duration(i) * 100 * time.Microsecond)
						s, err := auth.AuthenticateToken(t.Context(), token, authn.M2MToken)
						if err != nil || !errors.Is(s.Err, authn.ErrUnknownKey) {
							t.Error(s, err)
						}
					})
				}
				wg.Wait()
				if n := backend.count("/jwks") - before; n != 1 {
					t.Errorf("%d fetches for 10,000 unknown key ids in a second", n)
				}
				start := time.Now()
				authenticate(t, auth, strings.Replace(good, good[:strings.Index(good, ".")], encode(`{"alg":"RS256","kid":"y"}`), 1), authn.M2MToken)
				if time.Since(start) != 0 {
					t.Error("an unknown key id was not denied at once")
				}
				wantSignedIn(t, authenticate(t, auth, good, authn.M2MToken))
			})
		})
	}
}

// When the fetch that would know a key id fails, the token may be good: 503, not 401.
func TestUnknownKeyDuringOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &clerk{jwks: jwks(jwk("ins_1", keyA()))}
		auth := newAuthenticator(t, backend.client(t))
		wantSignedIn(t, authenticate(t, auth, m2mJWT(t, "ins_1", keyA(), time.Now()), authn.M2MToken))
		backend.set(func(c *clerk) {
			c.err, c.jwks = errors.New("connection refused"), jwks(jwk("ins_1", keyA()), jwk("ins_2", keyB()))
		})
		young := m2mJWT(t, "ins_2", keyB(), time.Now())
		for range 20 {
			wantDenied(t, authenticate(t, auth, young, authn.M2MToken), authn.ReasonUnexpectedError, authn.ErrCannotDecide)
		}
		if n := backend.count("/jwks"); n > 3 {
			t.Errorf("%d fetches at once from a backend that is down", n-1)
		}
		backend.set(func(c *clerk) { c.err = nil })
		time.Sleep(2 * time.Second)
		wantSignedIn(t, authenticate(t, auth, young, authn.M2MToken))
	})
}

func TestSlowKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &clerk{jwks: jwks(jwk("ins_1", keyA())), delay: time.Minute}
		auth := newAuthenticator(t, backend.client(t, wrapper.WithAttemptTimeout(2*time.Minute)))
		token := m2mJWT(t, "ins_1", keyA(), time.Now())
		var wg sync.WaitGroup
		for i := range 100 { // each gives up by its own context, and only then
			wg.Go(func() {
				limit := time.Duration(i+1) * 100 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				start := time.Now()
				s, err := auth.AuthenticateToken(ctx, token, authn.M2MToken)
				if err != nil || !errors.Is(s.Err, authn.ErrCannotDecide) || !errors.Is(s.Err, context.DeadlineExceeded) {
					t.Error(s, err)
				}
				if took := time.Since(start); took != limit {
					t.Errorf("took %v of %v", took, limit)
				}
			})
		}
		wg.Wait()
		backend.set(func(c *clerk) { c.delay = 0 })
		time.Sleep(time.Minute)
		wantSignedIn(t, authenticate(t, auth, token, authn.M2MToken))

		// With old keys at hand a slow refresh holds nobody up for more than a second, and few at all.
		backend.set(func(c *clerk) { c.delay = time.Minute })
		waited := time.Duration(0)
		for range 60 {
			time.Sleep(10 * time.Second)
			start := time.Now()
			wantSignedIn(t, authenticate(t, auth, m2mJWT(t, "ins_1", keyA(), time.Now()), authn.M2MToken))
			waited = max(waited, time.Since(start))
		}
		if waited > time.Second {
			t.Errorf("a request waited %v", waited)
		}
	})
}

func TestCloseEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &clerk{jwks: jwks(jwk("ins_1", keyA())), delay: time.Hour, verify: live}
		auth := newAuthenticator(t, backend.client(t, wrapper.WithAttemptTimeout(2*time.Hour)))
		var wg sync.WaitGroup
		for _, token := range []string{m2mJWT(t, "ins_1", keyA(), time.Now()), "mt_1"} {
			wg.Go(func() {
				s, err := auth.AuthenticateToken(t.Context(), token, authn.M2MToken)
				if err != nil || !errors.Is(s.Err, authn.ErrCannotDecide) {
					t.Error(s, err)
				}
			})
		}
		synctest.Wait()
		auth.Close()
		wg.Wait()
		wantDenied(t, authenticate(t, auth, "mt_1", authn.M2MToken), authn.ReasonUnexpectedError, authn.ErrClosed)
	})
}

// One key that cannot be used does not take the others along.
func TestOddKeys(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd := []json.RawMessage{
		[]byte(`null`), []byte(`7`), []byte(`{"kty":7}`), []byte(`{"kty":"oct","kid":"ins_1","k":"AAAA"}`),
		[]byte(`{"kty":"OKP","crv":"Ed448","kid":"ins_1","x":"AAAA"}`), []byte(`{"kty":"RSA","kid":"ins_1","n":"AQAB","e":"AQAB"}`),
		[]byte(`{"kty":"EC","crv":"P-256","kid":"ins_1","x":"AAAA","y":"AAAA"}`), []byte(strings.Replace(string(jwk("ins_1", keyB())), `"sig"`, `"enc"`, 1)),
		[]byte(strings.Replace(string(jwk("ins_1", keyB())), `RS256`, `PS256`, 1)), []byte(strings.Replace(string(jwk("ins_1", keyB())), `RS256`, `HS256`, 1)),
	}
	backend := &clerk{jwks: jwks(append(odd, jwk("ins_1", keyA()), jwk("ins_ec", ec), jwk("ins_ed", ed))...)}
	auth := newAuthenticator(t, backend.client(t))
	wantSignedIn(t, authenticate(t, auth, m2mJWT(t, "ins_1", keyA(), time.Now()), authn.M2MToken))
	wantSignedIn(t, authenticate(t, auth, sign(t, ec, "ES384", `{"alg":"ES384","kid":"ins_ec"}`, m2mClaims(time.Now(), "")), authn.M2MToken))
	wantSignedIn(t, authenticate(t, auth, sign(t, ed, "EdDSA", `{"alg":"EdDSA","kid":"ins_ed"}`, m2mClaims(time.Now(), "")), authn.M2MToken))
	wantDenied(t, authenticate(t, auth, sign(t, keyA(), "RS512", `{"alg":"RS512","kid":"ins_1"}`, m2mClaims(time.Now(), "")), authn.M2MToken),
		authn.ReasonTokenVerificationFailed, authn.ErrAlgorithm)
}

func TestFrontendKeys(t *testing.T) {
	t.Parallel()
	backend := &clerk{jwks: jwks(jwk("ins_1", keyA()))}
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithMachineSecretKey("ak_machine"))
	if err != nil {
		t.Fatal(err)
	}
	auth := newAuthenticator(t, client, authn.WithPublishableKey("pk_live_Y2xlcmsuYXBwLmV4YW1wbGUuY29tJA=="),
		authn.WithHTTPClient(&http.Client{Transport: backend}))
	wantSignedIn(t, authenticate(t, auth, m2mJWT(t, "ins_1", keyA(), time.Now()), authn.M2MToken))
	wantSignedIn(t, authenticate(t, auth, sign(t, keyA(), "RS256", sessionHeader, sessionClaims(time.Now(), ""))))
	if n := backend.count("/.well-known/jwks.json"); n != 1 {
		t.Errorf("%d fetches", n)
	}
	if backend.auth[0] != "" {
		t.Error("a credential went along")
	}
	if _, err := auth.AuthenticateToken(t.Context(), "oat_1", authn.OAuthToken); !errors.Is(err, authn.ErrMissingCredentials) {
		t.Errorf("got %v", err)
	}
}
