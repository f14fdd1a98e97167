package authn_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// late holds back replies that are already made: what they say is as old as the call.
type late struct {
	*clerk
	by time.Duration
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.clerk.RoundTrip(r)
	time.Sleep(l.by)
	return resp, err
}

// A refresh that was under way when the keys were rotated does not decide about tokens of the new key: they are neither
// denied by it nor for the time after.
func TestKeysRotateDuringRefresh(t *testing.T) {
	a, b := keyA(), keyB()
	for name, age := range map[string]time.Duration{"background": 4*time.Minute + 30*time.Second, "waited for": 6 * time.Minute, "first": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := &late{clerk: &clerk{jwks: jwks(jwk("ins_1", a))}}
				auth := newAuthenticator(t, backend.client(t, wrapper.WithHTTPClient(&http.Client{Transport: backend})))
				if age > 0 {
					wantSignedIn(t, authenticate(t, auth, m2mJWT(t, "ins_1", a, time.Now()), authn.M2MToken))
				}
				time.Sleep(age)
				backend.by = 500 * time.Millisecond
				var wg sync.WaitGroup
				wg.Go(func() { authenticate(t, auth, m2mJWT(t, "ins_1", a, time.Now()), authn.M2MToken) })
				time.Sleep(100 * time.Millisecond)
				backend.set(func(c *clerk) { c.jwks = jwks(jwk("ins_1", a), jwk("ins_2", b)) })
				for range 2 {
					wg.Go(func() {
						if s := authenticate(t, auth, m2mJWT(t, "ins_2", b, time.Now()), authn.M2MToken); s.Status != authn.SignedIn {
							t.Errorf("%s: %s", s.Reason, s.Message)
						}
					})
				}
				wg.Wait()
				wantSignedIn(t, authenticate(t, auth, m2mJWT(t, "ins_2", b, time.Now()), authn.M2MToken))
				if n, most := backend.count("/jwks"), 3; n > most {
					t.Errorf("%d fetches, more than %d", n, most)
				}
			})
		})
	}
}
