package spec_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/internal/spec"
)

func request(t *testing.T, method, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://127.0.0.1"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func load(t *testing.T) *spec.Spec {
	t.Helper()
	s, err := spec.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoute(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, test := range []struct {
		method, target, base, operation string
		err                             error
	}{
		{"POST", "/v1/m2m_tokens", "/v1", "createM2MToken", nil},
		{"POST", "/m2m_tokens", "", "createM2MToken", nil},
		{"POST", "/api_keys/verify", "", "verifyApiKey", nil},
		{"GET", "/api_keys/verify", "", "", spec.ErrNoMethod},
		{"GET", "/api_keys/other", "", "getApiKey", nil},
		{"GET", "/machines/a%2Fsecret_key", "", "GetMachine", nil},
		{"GET", "/machines/a/secret_key", "", "GetMachineSecretKey", nil},
		{"PUT", "/machines/a", "", "", spec.ErrNoMethod},
		{"GET", "/machines/", "", "", spec.ErrNoPath},
		{"POST", "/m2m_tokens//revoke", "", "", spec.ErrNoPath},
		{"GET", "/v1/jwks", "", "", spec.ErrNoPath},
		{"GET", "/jwks", "/v1", "", spec.ErrNoPath},
		{"GET", "/v1jwks", "/v1", "", spec.ErrNoPath},
		{"GET", "/v1", "/v1", "", spec.ErrNoPath},
	} {
		route, err := s.Route(request(t, test.method, test.target), test.base)
		if !errors.Is(err, test.err) {
			t.Errorf("%s %s: error %v, want %v", test.method, test.target, err, test.err)
		}
		if err == nil && route.Operation() != test.operation {
			t.Errorf("%s %s: operation %s, want %s", test.method, test.target, route.Operation(), test.operation)
		}
	}
}

// A problem says where it is, and does not repeat what it found there.
func TestProblems(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, test := range []struct {
		method, target, body, want string
	}{
		{"POST", "/m2m_tokens", `{"token_format":"hunter2"}`, "body /token_format: "},
		{"POST", "/m2m_tokens", `{"hunter":1}`, "body: property \"hunter\" is unsupported"},
		{"POST", "/m2m_tokens", `{"token_format":"hunter2","seconds_until_expiration":0}`, "body /seconds_until_expiration: "},
		{"POST", "/m2m_tokens", ``, "body: value is required but missing"},
		{"POST", "/m2m_tokens", `{"claims":hunter2`, "body: cannot be parsed"},
		{"POST", "/machines", `{"name":"a","scoped_machines":["hunter2"]}`, "body /scoped_machines/0: "},
		{"GET", "/machines/hunter2", ``, "path machine_id: "},
		{"GET", "/machines?limit=hunter2", ``, "query limit: an invalid integer"},
		{"GET", "/m2m_tokens", ``, "query subject: value is required but missing"},
	} {
		route, err := s.Route(request(t, test.method, test.target), "")
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, p := range route.CheckRequest([]byte(test.body), nil) {
			all = append(all, p.String())
		}
		got := strings.Join(all, "\n")
		if !strings.Contains(got, test.want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s %s %s: %q, want %q", test.method, test.target, test.body, got, test.want)
		}
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	r := request(t, "POST", "/m2m_tokens")
	r.Header.Set("Content-Type", "text/plain")
	route, err := load(t).Route(r, "")
	if err != nil {
		t.Fatal(err)
	}
	if found := route.CheckRequest([]byte(`{}`), nil); len(found) != 1 || found[0].Name != "Content-Type" {
		t.Errorf("a body that is not JSON: %v", found)
	}
}
