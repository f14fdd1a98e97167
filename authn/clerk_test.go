package authn_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// clerk is Clerk's API as a RoundTripper, without a network, so that it works in synctest's bubbles.
type clerk struct {
	mu     sync.Mutex
	jwks   []byte
	status int           // of every reply when not 0
	header http.Header   // of replies with that status
	err    error         // instead of any reply
	delay  time.Duration // before each reply
	verify func(token string) (status int, body string)
	counts map[string]int
	now    int // calls under way
	most   int // calls under way at the same time
	auth   []string
}

func (c *clerk) set(f func(*clerk)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

func (c *clerk) count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[path]
}

func (c *clerk) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	c.mu.Lock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[path]++
	c.now++
	c.most = max(c.most, c.now)
	c.auth = append(c.auth, r.Header.Get("Authorization"))
	delay := c.delay
	c.mu.Unlock()
	defer c.set(func(c *clerk) { c.now-- })
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	status, reply, header := c.status, `{"errors":[{"code":"oops","message":"oops"}]}`, c.header.Clone()
	switch {
	case status != 0:
	case path == "/jwks" || path == "/.well-known/jwks.json":
		status, reply = http.StatusOK, string(c.jwks)
	case c.verify != nil:
		var in map[string]string
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			return nil, err
		}
		status, reply = c.verify(in["token"] + in["secret"] + in["access_token"])
	default:
		status = http.StatusNotFound
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{
		StatusCode: status, Header: header, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(reply)),
	}, nil
}

// client is a wrapper's client of c with both secret keys.
func (c *clerk) client(t testing.TB, opts ...wrapper.Option) *wrapper.Client {
	t.Helper()
	client, err := wrapper.New(append([]wrapper.Option{
		wrapper.WithoutEnv(), wrapper.WithMaxRetries(0), wrapper.WithHTTPClient(&http.Client{Transport: c}),
		wrapper.WithSecretKey("sk_test_instance"), wrapper.WithMachineSecretKey("ak_machine"),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// m2mReply is a verified M2M token; more is members to put in front of the others.
func m2mReply(more string) string {
	return fmt.Sprintf(`{%s"object":"machine_to_machine_token","id":"mt_1","subject":%q,"scopes":[%q],"claims":{"n":12345678901234567890},`+
		`"revoked":false,"revocation_reason":null,"expired":false,"expiration":null,"last_used_at":null,"created_at":1,"updated_at":1}`,
		more, machineA, machineB)
}

func live(string) (int, string) { return http.StatusOK, m2mReply("") }

// Keys of the tests: generating one takes a while.
var keyA, keyB = sync.OnceValue(newRSAKey), sync.OnceValue(newRSAKey)

func newRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// m2mJWT is a good M2M JWT of the key with this id.
func m2mJWT(t testing.TB, kid string, key crypto.Signer, now time.Time) string {
	t.Helper()
	return sign(t, key, "RS256", strings.Replace(m2mHeader, "ins_1", kid, 1), m2mClaims(now, ""))
}

func authenticate(t testing.TB, a *authn.Authenticator, token string, accept ...authn.TokenType) *authn.State {
	t.Helper()
	return authenticateContext(t.Context(), t, a, token, accept...)
}

func authenticateContext(ctx context.Context, t testing.TB, a *authn.Authenticator, token string, accept ...authn.TokenType) *authn.State {
	t.Helper()
	s, err := a.AuthenticateToken(ctx, token, accept...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantSignedIn(t testing.TB, s *authn.State) {
	t.Helper()
	if s.Status != authn.SignedIn || s.Auth == nil || s.Err != nil {
		t.Fatalf("signed out: %s: %s", s.Reason, s.Message)
	}
}

func wantDenied(t testing.TB, s *authn.State, reason authn.Reason, err error) {
	t.Helper()
	if s.Status != authn.SignedOut || s.Auth != nil || s.Reason != reason || !errors.Is(s.Err, err) {
		t.Fatalf("got %s, reason %q, error %v; want reason %q, error %v", s.Status, s.Reason, s.Err, reason, err)
	}
}
