package authn_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// vectors is the contract: see the file's own about and rules.
type vectors struct {
	Now  time.Time `json:"now"`
	Keys struct {
		JWKS json.RawMessage `json:"jwks"`
	} `json:"keys"`
	Configs map[string]struct {
		SecretKey        string `json:"secretKey"`
		MachineSecretKey string `json:"machineSecretKey"`
		JWTKey           string `json:"jwtKey"`
	} `json:"configs"`
	Tokens  map[string]*string          `json:"tokens"`
	Replies map[string]map[string]reply `json:"replies"`
	Cases   []vector                    `json:"cases"`
}

type reply struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

type vector struct {
	ID            string          `json:"id"`
	Config        string          `json:"config"`
	Accepts       json.RawMessage `json:"accepts"`
	Authorization *string         `json:"authorization"`
	Cookie        string          `json:"cookie"`
	Replies       string          `json:"replies"`
	Want          struct {
		Status    string          `json:"status"`
		TokenType *string         `json:"tokenType"`
		Reason    *string         `json:"reason"`
		Auth      json.RawMessage `json:"auth"`
		Error     string          `json:"error"`
		Calls     []call          `json:"calls"`
	} `json:"want"`
}

type call struct {
	Method        string `json:"method"`
	Path          string `json:"path"`
	Authorization string `json:"authorization"`
	Body          any    `json:"body"`
}

func readVectors(t testing.TB) *vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/authenticate_request.json")
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectors)
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	ran := 0
	for i := range v.Cases {
		c := &v.Cases[i]
		t.Run(c.ID, func(t *testing.T) {
			ran++
			c.run(t, v)
		})
	}
	if ran != len(v.Cases) || ran < 1630 {
		t.Errorf("%d vectors ran, want %d, and at least 1630", ran, len(v.Cases))
	}
	t.Logf("%d vectors ran", ran)
}

func (c *vector) run(t *testing.T, v *vectors) {
	backend := &vectorBackend{v: v, replies: v.Replies[c.Replies], secretKey: v.Configs[c.Config].SecretKey}
	server := httptest.NewServer(backend)
	defer server.Close()

	config := v.Configs[c.Config]
	opts := []wrapper.Option{wrapper.WithoutEnv(), wrapper.WithBaseURL(server.URL + "/v1"), wrapper.WithMaxRetries(0)}
	if config.SecretKey != "" {
		opts = append(opts, wrapper.WithSecretKey(config.SecretKey))
	}
	if config.MachineSecretKey != "" {
		opts = append(opts, wrapper.WithMachineSecretKey(config.MachineSecretKey))
	}
	client, err := wrapper.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	authOpts := []authn.Option{authn.WithClock(func() time.Time { return v.Now }), authn.WithLogger(nil)}
	if config.JWTKey != "" {
		authOpts = append(authOpts, authn.WithJWTKey(config.JWTKey))
	}
	a, err := authn.New(client, authOpts...)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()

	r := httptest.NewRequest(http.MethodGet, "https://app.example.com/api/x", nil)
	if c.Authorization != nil {
		r.Header.Set("Authorization", *c.Authorization)
	}
	if c.Cookie != "" {
		r.Header.Set("Cookie", c.Cookie)
	}
	state, err := a.AuthenticateRequest(r, c.accepts(t)...)
	if c.Want.Error != "" {
		if c.Want.Error != "missing-credentials" || !errors.Is(err, authn.ErrMissingCredentials) || state != nil {
			t.Fatalf("got state %v, error %v, want %s", state, err, c.Want.Error)
		}
	} else {
		if err != nil {
			t.Fatal(err)
		}
		c.compare(t, state)
	}
	if got := backend.calls(); !sameCalls(got, c.Want.Calls) {
		t.Errorf("calls %v, want %v", got, c.Want.Calls)
	}
}

func (c *vector) accepts(t *testing.T) []authn.TokenType {
	var list []authn.TokenType
	if json.Unmarshal(c.Accepts, &list) == nil {
		return list
	}
	var one authn.TokenType
	if err := json.Unmarshal(c.Accepts, &one); err != nil {
		t.Fatal(err)
	}
	if one == "any" {
		return authn.AnyToken()
	}
	return []authn.TokenType{one}
}

func (c *vector) compare(t *testing.T, state *authn.State) {
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Status    string  `json:"status"`
		TokenType *string `json:"tokenType"`
		Reason    *string `json:"reason"`
		Auth      any     `json:"auth"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var auth any
	if c.Want.Auth != nil {
		if err := json.Unmarshal(c.Want.Auth, &auth); err != nil {
			t.Fatal(err)
		}
	}
	if got.Status != c.Want.Status || !reflect.DeepEqual(got.TokenType, c.Want.TokenType) ||
		!reflect.DeepEqual(got.Reason, c.Want.Reason) || !reflect.DeepEqual(got.Auth, auth) {
		want, _ := json.Marshal(c.Want)
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// vectorBackend answers as a vector's replies say and records the verify requests.
type vectorBackend struct {
	v         *vectors
	replies   map[string]reply
	secretKey string

	mu  sync.Mutex
	got []call
}

func (b *vectorBackend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	if path == "/jwks" {
		w.Header().Set("Content-Type", "application/json")
		if b.secretKey == "" || r.Header.Get("Authorization") != "Bearer "+b.secretKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Write(b.v.Keys.JWKS)
		return
	}
	name := map[string]string{"/m2m_tokens/verify": "m2m", "/api_keys/verify": "api", "/oauth_applications/access_tokens/verify": "oauth"}[path]
	body, _ := io.ReadAll(r.Body)
	c := call{Method: r.Method, Path: path, Authorization: r.Header.Get("Authorization")}
	if err := json.Unmarshal(body, &c.Body); err != nil {
		c.Body = string(body)
	}
	b.mu.Lock()
	b.got = append(b.got, c)
	b.mu.Unlock()
	answer, ok := b.replies[name]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	for k, v := range answer.Headers {
		w.Header().Set(k, v)
	}
	w.WriteHeader(answer.Status)
	w.Write(answer.Body)
}

func (b *vectorBackend) calls() []call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// sameCalls compares as sets: a retry of the same request is the same member.
func sameCalls(got, want []call) bool {
	in := func(list []call) func(call) bool {
		return func(c call) bool {
			return slices.ContainsFunc(list, func(o call) bool { return reflect.DeepEqual(c, o) })
		}
	}
	for _, c := range got {
		if !in(want)(c) {
			return false
		}
	}
	for _, c := range want {
		if !in(got)(c) {
			return false
		}
	}
	return true
}
