package authn_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
)

// middlewareTest is a request to a handler behind Require, and the answer.
type middlewareTest struct {
	headers   []string // of Authorization
	cookie    string
	accept    []authn.TokenType
	opts      []authn.Option
	backend   clerk
	status    int
	challenge string
	reason    string
	retry     string
}

func (test *middlewareTest) run(t *testing.T) {
	t.Parallel()
	auth := newAuthenticator(t, test.backend.client(t), append(test.opts, authn.WithJWTKey(publicPEM(t, &keyA().PublicKey)))...)
	reached := false
	h := auth.Require(test.accept...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := authn.FromContext(r.Context())
		reached = ok && s.Status == authn.SignedIn
		w.WriteHeader(http.StatusNoContent)
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Authorization"] = test.headers
	if test.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__session", Value: test.cookie})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != test.status || reached != (test.status == http.StatusNoContent) {
		t.Fatalf("status %d, want %d; reached the handler: %t", w.Code, test.status, reached)
	}
	if reached {
		return
	}
	got := fmt.Sprintf("%q %q %q %q", w.Header().Get("WWW-Authenticate"), w.Header().Get("X-Clerk-Auth-Status"), w.Header().Get("X-Clerk-Auth-Reason"), w.Header().Get("Retry-After"))
	if want := fmt.Sprintf("%q %q %q %q", test.challenge, "signed-out", test.reason, test.retry); got != want {
		t.Errorf("headers\n got %s\nwant %s", got, want)
	}
	if text := w.Body.String() + fmt.Sprint(w.Header()); strings.Contains(text, "oops") || strings.Contains(text, "mt_1") {
		t.Errorf("the answer says too much: %s", text)
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	now := time.Now()
	m2m, m2mOnly := m2mJWT(t, "ins_1", keyA(), now), []authn.TokenType{authn.M2MToken}
	session := sign(t, keyA(), "RS256", sessionHeader, sessionClaims(now, ""))
	const invalid, scope = `Bearer error="invalid_token"`, `Bearer error="insufficient_scope"`
	retryAfter := func(s string) http.Header { return http.Header{"Retry-After": {s}} }
	for name, test := range map[string]*middlewareTest{
		"a machine":                 {headers: []string{"Bearer " + m2m}, accept: m2mOnly, status: 204},
		"scheme in another case":    {headers: []string{"bEaReR   " + m2m}, accept: m2mOnly, status: 204},
		"no scheme":                 {headers: []string{m2m}, accept: m2mOnly, status: 204},
		"no token":                  {accept: m2mOnly, status: 401, challenge: "Bearer", reason: "No token in header"},
		"no token, several types":   {accept: []authn.TokenType{authn.M2MToken, authn.APIKey}, status: 401, challenge: "Bearer", reason: "token-type-mismatch"},
		"scheme only":               {headers: []string{"Bearer"}, accept: m2mOnly, status: 401, challenge: "Bearer", reason: "No token in header"},
		"another scheme":            {headers: []string{"Basic bXQ6MQ=="}, accept: m2mOnly, status: 401, challenge: "Bearer", reason: "No token in header"},
		"two credentials":           {headers: []string{"Bearer " + m2m + " " + m2m}, accept: m2mOnly, status: 401, challenge: "Bearer", reason: "No token in header"},
		"two headers":               {headers: []string{"Bearer " + m2m, "Bearer " + m2m}, accept: m2mOnly, status: 401, challenge: "Bearer", reason: "No token in header"},
		"two headers and a cookie":  {headers: []string{"Bearer " + session, "Bearer " + session}, cookie: session, status: 401, challenge: "Bearer", reason: "session-token-and-uat-missing"},
		"a user's cookie":           {cookie: session, status: 204},
		"cookie beside Basic":       {headers: []string{"Basic eDp5"}, cookie: session, status: 204},
		"cookie for a machine":      {cookie: session, accept: m2mOnly, status: 401, challenge: "Bearer", reason: "No token in header"},
		"a machine's in the cookie": {cookie: m2m, accept: authn.AnyToken(), status: 401, challenge: invalid, reason: "token-type-mismatch"},
		"the header goes first":     {headers: []string{"Bearer x"}, cookie: session, status: 401, challenge: invalid, reason: "token-invalid"},
		"another type":              {headers: []string{"Bearer " + session}, accept: m2mOnly, status: 401, challenge: invalid, reason: "token-type-mismatch"},
		"expired": {
			headers: []string{"Bearer " + sign(t, keyA(), "RS256", sessionHeader, sessionClaims(now.Add(-time.Hour), ""))},
			status:  401, challenge: invalid, reason: "session-token-expired",
		},
		"not allowed": {
			headers: []string{"Bearer " + m2m}, accept: m2mOnly, opts: []authn.Option{authn.WithAllowedMachines(machineB)},
			status: 403, challenge: scope, reason: "machine-not-allowed",
		},
		"opaque":              {headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{verify: live}, status: 204},
		"opaque, unknown":     {headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{status: 404}, status: 401, challenge: invalid, reason: "token-invalid"},
		"opaque, bad request": {headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{status: 400}, status: 401, challenge: invalid, reason: "unexpected-error"},
		"Clerk forbids":       {headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{status: 403}, status: 403, challenge: scope, reason: "unexpected-error"},
		"our secret is bad":   {headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{status: 401}, status: 503, reason: "secret-key-invalid", retry: "1"},
		"too many": {
			headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{status: 429, header: retryAfter("7")},
			status: 503, reason: "unexpected-error", retry: "7",
		},
		"too many, for a day": {
			headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{status: 429, header: retryAfter("86400")},
			status: 503, reason: "unexpected-error", retry: "60",
		},
		"outage":     {headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{status: 500}, status: 503, reason: "unexpected-error", retry: "1"},
		"no network": {headers: []string{"Bearer mt_1"}, accept: m2mOnly, backend: clerk{err: errors.New("oops")}, status: 503, reason: "unexpected-error", retry: "1"},
	} {
		t.Run(name, test.run)
	}
}

func TestRequireMisconfigured(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	auth := newAuthenticator(t, nil, authn.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for _, accept := range []authn.TokenType{authn.M2MToken, "m2m"} {
		log.Reset()
		h := auth.Require(accept)(http.NotFoundHandler())
		if !strings.Contains(log.String(), "level=ERROR") || accept == authn.M2MToken && !strings.Contains(log.String(), "CLERK_MACHINE_SECRET_KEY") {
			t.Errorf("nothing was said at once: %s", log.String())
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "CLERK") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		var got *authn.State
		auth.Attach(accept)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got, _ = authn.FromContext(r.Context())
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		if got == nil || got.Status != authn.SignedOut || got.Err == nil {
			t.Errorf("Attach: %+v", got)
		}
	}
}

func TestErrorHandler(t *testing.T) {
	t.Parallel()
	auth := newPEM(t, &keyA().PublicKey, authn.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, s *authn.State, status int) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":%q}`, s.Reason)
	}))
	w := httptest.NewRecorder()
	auth.Require(authn.M2MToken)(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != 401 || w.Body.String() != `{"type":"No token in header"}` || w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestAttachAndGetters(t *testing.T) {
	t.Parallel()
	now := time.Now()
	auth := newPEM(t, &keyA().PublicKey)
	for token, want := range map[string]string{
		"":                              "- - - -",
		"garbage":                       "- - - -",
		m2mJWT(t, "ins_1", keyA(), now): "m2m - - -",
		m2mJWT(t, "ins_1", keyB(), now): "- - - -",
		sign(t, keyA(), "RS256", oauthHeader, oauthClaims(now, "")):     "- - oauth -",
		sign(t, keyA(), "RS256", sessionHeader, sessionClaims(now, "")): "- - - session",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		got := "not reached"
		auth.Attach(authn.AnyToken()...)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			names := []string{"-", "-", "-", "-"}
			if a, ok := authn.M2MFromContext(r.Context()); ok && a.Subject == machineA {
				names[0] = "m2m"
			}
			if _, ok := authn.APIKeyFromContext(r.Context()); ok {
				names[1] = "api"
			}
			if a, ok := authn.OAuthFromContext(r.Context()); ok && a.ClientID == "client_2x" {
				names[2] = "oauth"
			}
			if a, ok := authn.SessionFromContext(r.Context()); ok && a.SessionID == "sess_2x" {
				names[3] = "session"
			}
			got = strings.Join(names, " ")
		})).ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%.20s: got %s, want %s", token, got, want)
		}
	}
	if _, ok := authn.FromContext(t.Context()); ok {
		t.Error("a state out of nowhere")
	}
}

// However it is printed, a State shows no credential; nor does a log.
func TestNothingShowsACredential(t *testing.T) {
	t.Parallel()
	secrets := []string{"sk_test_instance", "ak_machine", "mt_secrettoken", "ak_secrettoken", "oat_secrettoken"}
	quoting := `{"errors":[{"code":"c","message":"mt_secrettoken ak_machine sk_test_instance"}]}`
	for _, status := range []int{200, 400, 401, 403, 404, 429, 500} {
		var log bytes.Buffer
		backend := &clerk{verify: func(string) (int, string) {
			if status == 200 {
				return 200, m2mReply("")
			}
			return status, quoting
		}}
		auth := newAuthenticator(t, backend.client(t), authn.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		for _, token := range []string{"mt_secrettoken", "ak_secrettoken", "oat_secrettoken"} {
			s := authenticate(t, auth, token, authn.AnyToken()...)
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			slog.New(slog.NewTextHandler(&log, nil)).Info("state", "state", s, "err", s.Err)
			all := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %s", s, s, s, s.Message, s.Err, s.Auth, s.Err, text) + log.String()
			for _, secret := range secrets {
				if strings.Contains(all, secret) {
					t.Errorf("%d: %s shows in %s", status, secret, all)
				}
			}
		}
		if all := fmt.Sprintf("%v %+v %#v", auth, auth, auth); strings.Contains(all, "sk_test_instance") || strings.Contains(all, "ak_machine") {
			t.Error("the Authenticator shows a secret")
		}
	}
}

func TestStateJSON(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*authn.State{
		`{"status":"signed-out","tokenType":null,"reason":"token-type-mismatch","message":"m","auth":null}`: {
			Status: authn.SignedOut, Reason: authn.ReasonTokenTypeMismatch, Message: "m", Err: errors.New("e"),
		},
		`{"status":"signed-in","tokenType":"m2m_token","reason":null,"message":"","auth":{"id":"mt_1","subject":"mch_1","scopes":[],"claims":null,"machineId":"mch_1"}}`: {
			Status: authn.SignedIn, TokenType: authn.M2MToken, Auth: &authn.M2MAuth{ID: "mt_1", Subject: "mch_1", MachineID: "mch_1", Scopes: []string{}, ExpiresAt: time.Now()},
		},
		`{"status":"signed-in","tokenType":"api_key","reason":null,"message":"","auth":{"id":"ak_1","subject":"org_1","name":"n","scopes":["s"],"claims":{"a":1.50},"userId":null,"orgId":"org_1"}}`: {
			Status: authn.SignedIn, TokenType: authn.APIKey, Auth: &authn.APIKeyAuth{ID: "ak_1", Subject: "org_1", OrgID: "org_1", Name: "n", Scopes: []string{"s"}, Claims: `{"a":1.50}`},
		},
	} {
		if got, err := json.Marshal(s); err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}

// New and the first state need no network, and nothing stays behind.
func TestNewIsQuiet(t *testing.T) {
	t.Parallel()
	backend := &clerk{}
	client := backend.client(t)
	a, err := authn.New(client, authn.WithPublishableKey("pk_live_Y2xlcmsuYXBwLmV4YW1wbGUuY29tJA=="), authn.WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	a.Require(authn.AnyToken()...)
	wantDenied(t, authenticate(t, a, ""), authn.ReasonSessionTokenMissing, authn.ErrNoToken)
	if len(backend.counts) != 0 {
		t.Error(backend.counts)
	}
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Error(err)
	}
}
