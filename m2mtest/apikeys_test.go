package m2mtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/m2mtest"
)

const unknownAPIKey = "ak_00000000000000000000000000000000"

func (b *backend) createAPIKey(body map[string]any) answer {
	b.t.Helper()
	return b.call(b.SecretKey(), "POST", "/api_keys", body)
}

func TestCreateAPIKey(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	for _, subject := range []string{b.UserID(), b.OrganizationID(), b.Machine().ID} {
		created := b.createAPIKey(map[string]any{
			"name": "deploy", "subject": subject, "scopes": []string{"read"}, "claims": map[string]any{"a": 1},
			"description": "for CI", "created_by": "user_2xhFjEI5X2qWRvtV13BzSj8H6Dk", "seconds_until_expiration": 60,
		}).is(200, "").has(subject, "subject").has([]string{"read"}, "scopes").has("api_key", "type").
			has(map[string]any{"a": 1}, "claims").has("for CI", "description").has("user_2xhFjEI5X2qWRvtV13BzSj8H6Dk", "created_by").
			has(now.Add(time.Minute).UnixMilli(), "expiration")
		if secret := created.text("secret"); !strings.HasPrefix(secret, "ak_") || secret == created.text("id") {
			t.Errorf("the secret is %q", secret)
		}
		b.call(b.SecretKey(), "POST", "/api_keys/verify", map[string]any{"secret": created.text("secret")}).is(200, "").
			has(subject, "subject").has(now.UnixMilli(), "last_used_at").has(nil, "secret")
		b.call(b.SecretKey(), "GET", "/api_keys/"+created.text("id"), nil).is(200, "").has("deploy", "name").has(nil, "secret")
		b.call(b.SecretKey(), "GET", "/api_keys/"+created.text("id")+"/secret", nil).is(200, "").has(created.text("secret"), "secret")
	}
	b.createAPIKey(map[string]any{"name": "minimal", "subject": b.UserID(), "seconds_until_expiration": nil}).is(200, "").
		has(nil, "expiration").has(nil, "claims").has([]string{}, "scopes").has(nil, "created_by")
	b.createAPIKey(map[string]any{"name": "scim", "subject": "scim_2xhFjEI5X2qWRvtV13BzSj8H6Dk"}).is(400, "bad_request")
	if want := (m2mtest.Cost{APIKeysCreated: 4, OpaqueVerifications: 3}); b.Cost() != want {
		t.Errorf("the cost is %+v, not %+v", b.Cost(), want)
	}
}

func TestAPIKeyName(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	body := map[string]any{"name": "deploy", "subject": b.UserID()}
	first := b.createAPIKey(body).is(200, "")
	b.createAPIKey(body).is(409, "api_key_name_already_exists")
	b.call(b.SecretKey(), "POST", "/api_keys/"+first.text("id")+"/revoke", `{}`).is(200, "")
	b.createAPIKey(body).is(200, "")
	b.createAPIKey(map[string]any{"name": "deploy", "subject": b.UserID()}).is(200, "") // another's
}

func TestUnknownAPIKey(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	path := "/api_keys/" + unknownAPIKey
	for _, call := range []struct{ method, path, body string }{
		{"GET", path, ""},
		{"PATCH", path, `{}`},
		{"DELETE", path, ""},
		{"GET", path + "/secret", ""},
		{"POST", path + "/revoke", `{}`},
		{"POST", "/api_keys/verify", `{"secret":"ak_unknown"}`},
		{"GET", "/api_keys/api_key_00000000000000000000000000000000", ""},
	} {
		b.call(b.SecretKey(), call.method, call.path, call.body).is(404, "resource_not_found")
	}
	// A machine's secret key is no API key, though it looks like one.
	b.call(b.SecretKey(), "POST", "/api_keys/verify", map[string]any{"secret": b.MachineSecretKey(b.Machine().ID)}).is(404, "resource_not_found")
}

func TestDeadAPIKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		opts   []m2mtest.Option
		status int
	}{{nil, 404}, {[]m2mtest.Option{m2mtest.WithDeadTokensAs200()}, 200}} {
		b := newBackend(t, test.opts...)
		verify := func(k string) answer {
			t.Helper()
			return b.call(b.SecretKey(), "POST", "/api_keys/verify", map[string]any{"secret": k}).is(test.status, "resource_not_found")
		}
		a := verify(string(b.MintAPIKey(b.UserID(), m2mtest.Revoked("leaked")).Secret))
		c := verify(string(b.MintAPIKey(b.UserID(), m2mtest.ExpiresIn(-time.Second)).Secret))
		if test.status == 200 {
			a.has(true, "revoked").has("leaked", "revocation_reason")
			c.has(true, "expired")
		}
	}
}

func TestUpdateAPIKey(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	k := b.createAPIKey(map[string]any{
		"name": "deploy", "subject": b.UserID(), "claims": map[string]any{"a": 1}, "scopes": []string{"read"}, "description": "d",
		"seconds_until_expiration": 60,
	}).is(200, "")
	update := func(body string) answer {
		t.Helper()
		return b.call(b.SecretKey(), "PATCH", "/api_keys/"+k.text("id"), body)
	}
	b.Advance(time.Second)
	later := now.Add(time.Second)
	update(`{}`).is(200, "").has(map[string]any{"a": 1}, "claims").has([]string{"read"}, "scopes").has("d", "description").
		has(now.Add(time.Minute).UnixMilli(), "expiration").has(later.UnixMilli(), "updated_at").has(now.UnixMilli(), "created_at")
	update(`{"claims":{"b":2},"scopes":[],"description":"e","seconds_until_expiration":120}`).is(200, "").
		has(map[string]any{"b": 2}, "claims").has([]string{}, "scopes").has("e", "description").has(later.Add(2*time.Minute).UnixMilli(), "expiration")
	update(`{"claims":null,"description":null,"seconds_until_expiration":null}`).is(200, "").
		has(nil, "claims").has(nil, "description").has(nil, "expiration")
	org := b.OrganizationID()
	update(`{"subject":"`+org+`"}`).is(200, "").has(org, "subject")
	update(`{"subject":"scim_2xhFjEI5X2qWRvtV13BzSj8H6Dk","scopes":["x"]}`).is(400, "bad_request")
	update(`{}`).is(200, "").has([]string{}, "scopes") // nothing of what was refused
}

func TestRevokeAndDeleteAPIKey(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	k := b.MintAPIKey(b.UserID())
	path := "/api_keys/" + k.ID
	b.call(b.SecretKey(), "POST", path+"/revoke", `{"revocation_reason":"leaked"}`).is(200, "").has(true, "revoked").has("leaked", "revocation_reason")
	b.call(b.SecretKey(), "POST", path+"/revoke", `{}`).is(200, "").has("leaked", "revocation_reason")
	b.call(b.SecretKey(), "DELETE", path, nil).is(200, "").has(k.ID, "id")
	b.call(b.SecretKey(), "GET", path, nil).is(404, "resource_not_found")
	b.call(b.SecretKey(), "POST", "/api_keys/verify", map[string]any{"secret": string(k.Secret)}).is(404, "resource_not_found")
}

func TestListAPIKeys(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	user := b.UserID()
	first := b.MintAPIKey(user, m2mtest.Name("first"))
	second := b.MintAPIKey(user, m2mtest.Name("Second"))
	b.MintAPIKey(user, m2mtest.Name("dead"), m2mtest.Revoked("x"))
	b.MintAPIKey(user, m2mtest.Name("old"), m2mtest.ExpiresIn(-time.Second))
	b.MintAPIKey(b.UserID(), m2mtest.Name("another's"))
	list := func(params ...string) answer {
		t.Helper()
		return b.call(b.SecretKey(), "GET", "/api_keys"+query(append([]string{"subject", user}, params...)...), nil).is(200, "")
	}
	list().has(2, "total_count").has(second.ID, "data", 0, "id").has(first.ID, "data", 1, "id").has(nil, "data", 0, "secret")
	list("include_invalid", "false").has(2, "total_count")
	list("include_invalid", "true").has(4, "total_count").has("old", "data", 0, "name")
	list("limit", "1", "offset", "1").has(2, "total_count").has(first.ID, "data", 0, "id").has(nil, "data", 1)
	list("query", "second").has(1, "total_count").has(second.ID, "data", 0, "id")
	list("query", first.ID).has(1, "total_count").has(first.ID, "data", 0, "id")
	list("type", "other").has(0, "total_count").has([]string{}, "data")
}
