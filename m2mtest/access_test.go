package m2mtest_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// example gives a path with ids in it, and a body, that the spec lets pass.
func example(op generated.Operation) (path, body string) {
	path = strings.NewReplacer(
		"{machine_id}", unknownMachine, "{other_machine_id}", unknownMachine,
		"{m2m_token_id}", "mt_00000000000000000000000000000000", "{apiKeyID}", unknownAPIKey,
	).Replace(op.Path)
	switch op.ID {
	case generated.OpGetM2MTokens.ID, generated.OpGetAPIKeys.ID:
		path += query("subject", unknownMachine)
	case generated.OpVerifyM2MToken.ID:
		body = `{"token":"mt_unknown"}`
	case generated.OpVerifyAPIKey.ID:
		body = `{"secret":"ak_unknown"}`
	case generated.OpVerifyOAuthAccessToken.ID:
		body = `{"access_token":"oat_unknown"}`
	case generated.OpCreateMachine.ID:
		body = `{"name":"m"}`
	case generated.OpCreateMachineScope.ID:
		body = `{"to_machine_id":"` + unknownMachine + `"}`
	case generated.OpRotateMachineSecretKey.ID:
		body = `{"previous_token_ttl":0}`
	case generated.OpCreateAPIKey.ID:
		body = `{"name":"key","subject":"user_2xhFjEI5X2qWRvtV13BzSj8H6Dk"}`
	default:
		if op.Method == http.MethodPost || op.Method == http.MethodPatch {
			body = `{}`
		}
	}
	return path, body
}

// Every operation takes the kinds of credential that the spec lists, and no others. Both with /v1 and without.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, op := range generated.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			machineKey := string(b.AddMachine("m").SecretKey)
			path, body := example(op)
			for _, base := range []string{"/v1", ""} {
				for _, test := range []struct {
					name, key string
					ok        bool
				}{
					{"none", "", false},
					{"unknown instance key", "sk_test_unknown", false},
					{"unknown machine key", "ak_unknown", false},
					{"machine's", machineKey, op.Credentials.Has(generated.CredentialKindMachineSecretKey)},
					{"instance's", b.SecretKey(), op.Credentials.Has(generated.CredentialKindSecretKey)},
					{"publishable", b.PublishableKey(), false},
				} {
					a := b.rawCall(test.key, op.Method, base+path, body)
					if ok := a.status != 401; ok != test.ok || a.status == 400 || a.status >= 500 {
						t.Errorf("%s%s with the key %s: %d %s", base, path, test.name, a.status, a.raw)
					}
					if test.key != "" && strings.Contains(string(a.raw), test.key) {
						t.Errorf("the key %s is in the answer: %s", test.name, a.raw)
					}
					if a.status == 401 && a.get("clerk_trace_id") == nil {
						t.Errorf("no trace id: %s", a.raw)
					}
				}
			}
		})
	}
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	key := b.SecretKey()
	for _, test := range []struct {
		values []string
		code   string // "" is good
	}{
		{[]string{"Bearer " + key}, ""},
		{[]string{"bearer  " + key}, ""},
		{nil, "authentication_invalid"},
		{[]string{key}, "authorization_header_format_invalid"},
		{[]string{"Basic " + key}, "authorization_header_format_invalid"},
		{[]string{"Bearer "}, "authorization_header_format_invalid"},
		{[]string{"Bearer " + key, "Bearer " + key}, "authorization_header_format_invalid"},
		{[]string{"Bearer " + key + " x"}, "clerk_key_invalid"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", b.URL()+"/v1/jwks", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = test.values
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		a := answer{t: t, status: resp.StatusCode}
		if resp.StatusCode != 200 {
			decodeBody(t, resp, &a.json)
		}
		resp.Body.Close()
		if got := a.text("errors", 0, "code"); got != test.code || (resp.StatusCode == 200) != (test.code == "") {
			t.Errorf("%d values: %d %s, want %s", len(test.values), resp.StatusCode, got, test.code)
		}
	}
}

// A request that breaks the spec is told where, and does not get back what it sent there.
func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	machineKey := b.MachineSecretKey(b.Machine().ID)
	sk := b.SecretKey()
	for _, test := range []struct {
		key, method, path, body string
		in, param, pointer      any
	}{
		{machineKey, "POST", "/m2m_tokens", `{"token_format":"hunter2"}`, "body", nil, "/token_format"},
		{machineKey, "POST", "/m2m_tokens", `{"hunter2`, "body", nil, nil},
		{machineKey, "POST", "/m2m_tokens", `{} hunter2`, "body", nil, nil},
		{machineKey, "POST", "/m2m_tokens", ``, "body", nil, nil},
		{machineKey, "POST", "/m2m_tokens", `[]`, "body", nil, nil},
		{machineKey, "POST", "/m2m_tokens", `{"seconds_until_expiration":0}`, "body", nil, "/seconds_until_expiration"},
		{machineKey, "POST", "/m2m_tokens", `{"seconds_until_expiration":1.5}`, "body", nil, "/seconds_until_expiration"},
		{machineKey, "POST", "/m2m_tokens", `{"claims":"hunter2"}`, "body", nil, "/claims"},
		{machineKey, "POST", "/m2m_tokens", `{"min_remaining_ttl_seconds":-1}`, "body", nil, "/min_remaining_ttl_seconds"},
		{sk, "POST", "/m2m_tokens/verify", `{"token":7}`, "body", nil, "/token"},
		{sk, "POST", "/m2m_tokens/verify", `{"token":"hunter2","more":"hunter2"}`, "body", nil, nil},
		{sk, "POST", "/m2m_tokens/hunter2/revoke", `{}`, "path", "m2m_token_id", nil},
		{sk, "POST", "/m2m_tokens/mt_..%2Fhunter2/revoke", `{}`, "path", "m2m_token_id", nil},
		{sk, "GET", "/m2m_tokens", ``, "query", "subject", nil},
		{sk, "GET", "/m2m_tokens?subject=hunter2", ``, "query", "subject", nil},
		{sk, "GET", "/m2m_tokens?subject=" + unknownMachine + "&limit=hunter2", ``, "query", "limit", nil},
		{sk, "GET", "/machines?limit=501", ``, "query", "limit", nil},
		{sk, "POST", "/machines", `{"name":""}`, "body", nil, "/name"},
		{sk, "POST", "/machines", `{"name":"m","scoped_machines":["hunter2"]}`, "body", nil, "/scoped_machines/0"},
		{sk, "POST", "/api_keys", `{"name":"key","subject":"hunter2"}`, "body", nil, "/subject"},
		{sk, "GET", "/machines/.", ``, "path", "machine_id", nil},
	} {
		a := b.rawCall(test.key, test.method, "/v1"+test.path, test.body).is(400, "bad_request").
			has(test.in, "errors", 0, "meta", "in").has(test.param, "errors", 0, "meta", "param_name").has(test.pointer, "errors", 0, "meta", "pointer")
		if strings.Contains(string(a.raw), "hunter2") {
			t.Errorf("%s %s: the answer repeats the value: %s", test.method, test.path, a.raw)
		}
		if t.Failed() {
			t.Fatalf("%s %s %s: %s", test.method, test.path, test.body, a.raw)
		}
	}
	if n := b.call(sk, "GET", "/machines", nil).get("total_count"); n != 1.0 {
		t.Errorf("there are %v machines", n)
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	for _, path := range []string{"/", "/v1", "/v2/jwks", "/v1/v1/jwks", "/v1//jwks", "/v1/jwks/", "/v1/users", "/v1/machines//secret_key"} {
		b.rawCall(b.SecretKey(), "GET", path, nil).is(404, "resource_not_found")
	}
	b.rawCall(b.SecretKey(), "PUT", "/v1/machines", nil).is(405, "method_not_allowed")
	b.rawCall(b.SecretKey(), "POST", "/v1/jwks", nil).is(405, "method_not_allowed")
	b.rawCall(b.SecretKey(), "POST", "/v1/machines", strings.Repeat(" ", 1<<20+1)).is(413, "request_too_large")
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := newBackend(t, m2mtest.WithRateLimit(2, 10*time.Second))
	list := func(status int) answer {
		t.Helper()
		return b.call(b.SecretKey(), "GET", "/machines", nil).is(status, "too_many_requests")
	}
	list(200)
	b.Advance(1500 * time.Millisecond)
	list(200)
	if after := list(429).header.Get("Retry-After"); after != "9" {
		t.Errorf("Retry-After is %q, not 8.5 s rounded up", after)
	}
	for range 5 {
		b.call(b.SecretKey(), "GET", "/jwks", nil).is(200, "")
	}
	b.call(b.MachineSecretKey(b.Machine().ID), "POST", "/m2m_tokens", `{}`).is(201, "") // another credential
	b.Advance(8500 * time.Millisecond)
	list(200)
}

func TestPublicKeySet(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	host, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(b.PublishableKey(), "pk_test_"))
	if err != nil || "http://"+strings.TrimSuffix(string(host), "$") != b.URL() {
		t.Errorf("the publishable key names %s, %v", host, err)
	}
	public := b.rawCall("", "GET", "/.well-known/jwks.json", nil).is(200, "")
	private := b.call(b.SecretKey(), "GET", "/jwks", nil).is(200, "")
	if string(public.raw) != string(private.raw) {
		t.Errorf("%s is not %s", public.raw, private.raw)
	}
	if n := b.CallsTo("GetJWKS"); n != 2 {
		t.Errorf("%d calls to GetJWKS", n)
	}
}
