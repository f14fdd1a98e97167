package contract_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/internal/contract"
)

const (
	machineKey  = "ak_notarealmachinekey"
	instanceKey = "sk_test_notarealinstancekey"

	machineID = "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"
	tokenID   = "mt_3beecc9c60adb5f9b850e91a8ee1e992"
	apiKeyID  = "ak_3beecc9c60adb5f9b850e91a8ee1e992"
	userID    = "user_2xhFjEI5X2qWRvtV13BzSj8H6Dk"

	summary = `{"object":"machine","id":"` + machineID + `","name":"billing","instance_id":"ins_1","created_at":1,"updated_at":1}`
	machine = `{"object":"machine","id":"` + machineID + `","name":"billing","instance_id":"ins_1","created_at":1,"updated_at":1,"scoped_machines":[` + summary + `],"secret_key":"ak_x"}`
	token   = `{"object":"machine_to_machine_token","id":"` + tokenID + `","subject":"` + machineID + `","claims":null,"scopes":["` + machineID + `"],"token":"mt_x","revoked":false,"revocation_reason":null,"expired":false,"expiration":2,"last_used_at":null,"created_at":1,"updated_at":1}`
	apiKey  = `{"object":"api_key","id":"` + apiKeyID + `","type":"api_key","subject":"` + userID + `","name":"deploy","claims":null,"scopes":[],"secret":"ak_x","revoked":false,"revocation_reason":null,"expired":false,"expiration":null,"created_by":null,"last_used_at":null,"created_at":1,"updated_at":1}`
	oauth   = `{"object":"clerk_idp_oauth_access_token","id":"oat_0ef5a7a33d87ed87ee7954c845d80450","client_id":"client_1","subject":"` + userID + `","scopes":[],"revoked":false,"revocation_reason":null,"expired":false,"expiration":null,"created_at":1,"updated_at":1}`
	scope   = `{"object":"machine_scope","from_machine_id":"` + machineID + `","to_machine_id":"` + machineID + `","created_at":1}`
)

// exchange is a request and the reply to it.
type exchange struct {
	target string // path and query
	key    string
	body   string
	status int
	reply  string
}

// control is an exchange that keeps the spec, and the one change to it that must be refused.
type control struct {
	good   exchange
	breaks func(*exchange)
}

func replaced(part *string, old, with string) {
	if !strings.Contains(*part, old) {
		panic("the control does not contain " + old)
	}
	*part = strings.Replace(*part, old, with, 1)
}

// controls has one negative control per operation, each of another kind.
var controls = map[string]control{
	"createM2MToken": {
		exchange{"/m2m_tokens", machineKey, `{"token_format":"jwt","claims":{"a":1},"seconds_until_expiration":60}`, 201, token},
		func(x *exchange) { x.key = instanceKey },
	},
	"getM2MTokens": {
		exchange{"/m2m_tokens?subject=" + machineID + "&limit=100&revoked=true", machineKey, "", 200, `{"m2m_tokens":[` + token + `],"total_count":1}`},
		func(x *exchange) { replaced(&x.target, "limit=100", "limit=101") },
	},
	"revokeM2MToken": {
		exchange{"/m2m_tokens/" + tokenID + "/revoke", machineKey, `{"revocation_reason":null}`, 200, token},
		func(x *exchange) { replaced(&x.target, "mt_3b", "mt_3z") },
	},
	"verifyM2MToken": {
		exchange{"/m2m_tokens/verify", instanceKey, `{"token":"mt_x"}`, 200, token},
		func(x *exchange) { x.body = `{"secret":"mt_x"}` },
	},
	"ListMachines": {
		exchange{"/machines?query=&order_by=name", instanceKey, "", 200, `{"data":[` + machine + `],"total_count":1}`},
		func(x *exchange) { replaced(&x.reply, `"total_count":1`, `"total_count":"1"`) },
	},
	"CreateMachine": {
		exchange{"/machines", instanceKey, `{"name":"billing","scoped_machines":["` + machineID + `"]}`, 200, machine},
		func(x *exchange) { replaced(&x.body, `"billing"`, `""`) },
	},
	"GetMachine": {
		exchange{"/machines/" + machineID, instanceKey, "", 200, machine},
		func(x *exchange) { replaced(&x.reply, `"object":"machine"`, `"object":"machina"`) },
	},
	"UpdateMachine": {
		exchange{"/machines/" + machineID, instanceKey, `{"default_token_ttl":1}`, 200, machine},
		func(x *exchange) { replaced(&x.body, "1", "0") },
	},
	"DeleteMachine": {
		exchange{"/machines/" + machineID, instanceKey, "", 200, `{"object":"machine","id":"` + machineID + `","deleted":true}`},
		func(x *exchange) { replaced(&x.reply, "true", "false") },
	},
	"GetMachineSecretKey": {
		exchange{"/machines/" + machineID + "/secret_key", instanceKey, "", 200, `{"object":"machine_secret_key","secret":"ak_x"}`},
		func(x *exchange) { replaced(&x.reply, `,"secret":"ak_x"`, "") },
	},
	"RotateMachineSecretKey": {
		exchange{"/machines/" + machineID + "/secret_key/rotate", instanceKey, `{"previous_token_ttl":28800}`, 200, `{"object":"machine_secret_key","secret":"ak_x"}`},
		func(x *exchange) { replaced(&x.body, "28800", "28801") },
	},
	"CreateMachineScope": {
		exchange{"/machines/" + machineID + "/scopes", instanceKey, `{"to_machine_id":"` + machineID + `"}`, 200, scope},
		func(x *exchange) { x.body = "" },
	},
	"DeleteMachineScope": {
		exchange{"/machines/" + machineID + "/scopes/" + machineID, instanceKey, "", 200, strings.Replace(scope, `"created_at":1`, `"deleted":true`, 1)},
		func(x *exchange) { replaced(&x.target, "/scopes/mch", "/scopes/mach") },
	},
	"createApiKey": {
		exchange{"/api_keys", instanceKey, `{"name":"deploy","subject":"` + userID + `"}`, 200, apiKey},
		func(x *exchange) { replaced(&x.body, `}`, `,"colour":"red"}`) },
	},
	"getApiKeys": {
		exchange{"/api_keys?subject=" + userID + "&include_invalid=true", instanceKey, "", 200, `{"data":[` + apiKey + `],"total_count":1}`},
		func(x *exchange) { replaced(&x.target, "include_invalid=true", "include_invalid=yes") },
	},
	"verifyApiKey": {
		exchange{"/api_keys/verify", instanceKey, `{"secret":"ak_x"}`, 200, apiKey},
		func(x *exchange) { replaced(&x.reply, `"expired":false,`, "") },
	},
	"getApiKey": {
		exchange{"/api_keys/" + apiKeyID, instanceKey, "", 200, apiKey},
		func(x *exchange) { replaced(&x.reply, `"user_`, `"usr_`) },
	},
	"updateApiKey": {
		exchange{"/api_keys/" + apiKeyID, instanceKey, `{"seconds_until_expiration":1}`, 200, apiKey},
		func(x *exchange) { replaced(&x.body, "1", "1.5") },
	},
	"deleteApiKey": {
		exchange{"/api_keys/" + apiKeyID, instanceKey, "", 200, `{"object":"api_key","id":"` + apiKeyID + `","deleted":true}`},
		func(x *exchange) { x.status = 204 },
	},
	"getApiKeySecret": {
		exchange{"/api_keys/" + apiKeyID + "/secret", instanceKey, "", 200, `{"secret":"ak_x"}`},
		func(x *exchange) { replaced(&x.reply, `"ak_x"`, `null`) },
	},
	"revokeApiKey": {
		exchange{"/api_keys/" + apiKeyID + "/revoke", instanceKey, `{}`, 200, apiKey},
		func(x *exchange) { x.body = `[]` },
	},
	"verifyOAuthAccessToken": {
		exchange{"/oauth_applications/access_tokens/verify", instanceKey, `{"access_token":"oat_x"}`, 200, oauth},
		func(x *exchange) { x.reply = `{"active":true}` },
	},
	"GetJWKS": {
		exchange{"/jwks", instanceKey, "", 200, `{"keys":[{"kid":"ins_1","alg":"RS256","use":"sig","kty":"RSA","n":"AQ","e":"AQAB"}]}`},
		func(x *exchange) { x.key = machineKey },
	},
}

func (x exchange) run(t *testing.T, method string, contentType string) (*contract.Transport, error) {
	t.Helper()
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent, err := io.ReadAll(r.Body)
		if err != nil || string(sent) != x.body {
			t.Errorf("the transport changed the body: %q, %v", sent, err)
		}
		return &http.Response{StatusCode: x.status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(x.reply)), Request: r}, nil
	})
	transport, err := contract.NewTransport(base, "/v1")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://127.0.0.1:1/v1"+x.target, strings.NewReader(x.body))
	if err != nil {
		t.Fatal(err)
	}
	if x.key != "" {
		req.Header.Set("Authorization", "Bearer "+x.key)
	}
	if x.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := transport.RoundTrip(req)
	if err == nil {
		if body, _ := io.ReadAll(resp.Body); string(body) != x.reply {
			t.Errorf("the transport changed the reply: %q", body)
		}
	}
	return transport, err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const json = "application/json"

func TestControls(t *testing.T) {
	t.Parallel()
	for _, op := range generated.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			c, ok := controls[op.ID]
			if !ok {
				t.Fatal("there is no control for the operation")
			}
			transport, err := c.good.run(t, op.Method, json)
			if err != nil {
				t.Fatalf("the good exchange is refused: %v", err)
			}
			for _, seen := range transport.Coverage().Operations {
				if want := seen.ID == op.ID; want != (seen.Seen[op.Status] == 1) {
					t.Errorf("%s was seen %v", seen.ID, seen.Seen)
				}
			}

			refused(t, "the control", c.good, op.Method, json, c.breaks)
			refused(t, "no credential", c.good, op.Method, json, func(x *exchange) { x.key = "" })
			refused(t, "a credential of no kind", c.good, op.Method, json, func(x *exchange) { x.key = "hunter2" })
			refused(t, "an undeclared success", c.good, op.Method, json, func(x *exchange) { x.status = 202 })
			refused(t, "a redirect", c.good, op.Method, json, func(x *exchange) { x.status = 307 })
			refused(t, "an empty object", c.good, op.Method, json, func(x *exchange) { x.reply = "{}" })
			refused(t, "a reply that is cut short", c.good, op.Method, json, func(x *exchange) { x.reply = x.reply[:len(x.reply)/2] })
			refused(t, "HTML", c.good, op.Method, "text/html", func(*exchange) {})
			refused(t, "an error of another shape", c.good, op.Method, json, func(x *exchange) { x.status, x.reply = 500, `{"error":"no"}` })
			refused(t, "an unknown path", c.good, op.Method, json, func(x *exchange) { x.target = "/v2" + x.target })
			if _, err := (exchange{c.good.target, c.good.key, c.good.body, 500, `{"errors":[]}`}).run(t, op.Method, json); err != nil {
				t.Errorf("an error of the declared shape is refused: %v", err)
			}
		})
	}
}

func refused(t *testing.T, what string, x exchange, method, contentType string, breaks func(*exchange)) {
	t.Helper()
	breaks(&x)
	transport, err := x.run(t, method, contentType)
	v, ok := errors.AsType[*contract.Violation](err)
	if !ok {
		t.Errorf("%s is not refused: %v", what, err)
		return
	}
	if !slices.Contains(transport.Violations(), v) || len(v.Problems) == 0 {
		t.Errorf("%s: the violation is not kept, or says nothing: %v", what, v)
	}
	for _, secret := range []string{"ak_x", "mt_x", "oat_x", "hunter2", machineKey, instanceKey} {
		if strings.Contains(v.Error(), secret) {
			t.Errorf("%s: the violation shows a credential: %v", what, v)
		}
	}
}

func TestCoverageMissing(t *testing.T) {
	t.Parallel()
	x := controls["GetJWKS"].good
	transport, err := x.run(t, http.MethodGet, json)
	if err != nil {
		t.Fatal(err)
	}
	c := transport.Coverage()
	if missing := c.Missing(); len(missing) != 22 || slices.ContainsFunc(missing, func(s string) bool { return strings.HasPrefix(s, "GetJWKS") }) {
		t.Errorf("missing: %q", missing)
	}
	if !strings.HasPrefix(c.String(), "operations 1/23, declared successes 1/23, declared failures 0/") {
		t.Errorf("coverage: %s", c)
	}

	x.status, x.reply = 401, `{"errors":[]}`
	transport, err = x.run(t, http.MethodGet, json)
	if err != nil {
		t.Fatal(err)
	}
	if missing := transport.Coverage().Missing(); !slices.Contains(missing, "GetJWKS never succeeded") {
		t.Errorf("missing: %q", missing)
	}
}
