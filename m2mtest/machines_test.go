package m2mtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const unknownMachine = "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"

func TestCreateMachine(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	sk := b.SecretKey()
	billing := b.call(sk, "POST", "/machines", `{"name":"billing"}`).is(200, "").
		has("billing", "name").has(3600, "default_token_ttl").has([]string{}, "scoped_machines").has(b.InstanceID(), "instance_id")
	orders := b.call(sk, "POST", "/machines", map[string]any{
		"name": "orders", "default_token_ttl": 60, "scoped_machines": []string{billing.text("id")},
	}).is(200, "").has(60, "default_token_ttl").has(billing.text("id"), "scoped_machines", 0, "id")

	b.call(orders.text("secret_key"), "POST", "/m2m_tokens", `{}`).is(201, "").
		has(orders.text("id"), "subject").has([]string{billing.text("id")}, "scopes").has(now.Add(time.Minute).UnixMilli(), "expiration")
	b.call(sk, "GET", "/machines/"+orders.text("id"), nil).is(200, "").has("orders", "name").has(nil, "secret_key")
	b.call(sk, "GET", "/machines/"+orders.text("id")+"/secret_key", nil).is(200, "").has(orders.text("secret_key"), "secret")

	b.call(sk, "POST", "/machines", `{"name":"x","scoped_machines":["`+unknownMachine+`"]}`).is(422, "form_param_invalid")
	twice := `"` + billing.text("id") + `"`
	b.call(sk, "POST", "/machines", `{"name":"x","scoped_machines":[`+twice+`,`+twice+`]}`).is(422, "form_param_duplicate")
	b.call(sk, "GET", "/machines"+query("query", "x"), nil).has(0, "total_count")
}

func TestUnknownMachine(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	path := "/machines/" + unknownMachine
	known := b.Machine().ID
	for _, call := range []struct{ method, path, body string }{
		{"GET", path, ""},
		{"PATCH", path, `{}`},
		{"DELETE", path, ""},
		{"GET", path + "/secret_key", ""},
		{"POST", path + "/secret_key/rotate", `{"previous_token_ttl":0}`},
		{"POST", path + "/scopes", `{"to_machine_id":"` + known + `"}`},
		{"POST", "/machines/" + known + "/scopes", `{"to_machine_id":"` + unknownMachine + `"}`},
		{"DELETE", "/machines/" + known + "/scopes/" + unknownMachine, ""},
		{"DELETE", path + "/scopes/" + known, ""},
	} {
		b.call(b.SecretKey(), call.method, call.path, call.body).is(404, "resource_not_found")
	}
}

func TestUpdateMachine(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	m := b.AddMachine("old")
	b.Advance(time.Second)
	path := "/machines/" + m.ID
	b.call(b.SecretKey(), "PATCH", path, `{"name":"new"}`).is(200, "").has("new", "name").has(3600, "default_token_ttl").
		has(now.UnixMilli(), "created_at").has(now.Add(time.Second).UnixMilli(), "updated_at")
	b.call(b.SecretKey(), "PATCH", path, `{"default_token_ttl":60}`).is(200, "").has("new", "name").has(60, "default_token_ttl")
}

func TestListMachines(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	for _, name := range []string{"billing", "Orders", "stock", "orders-eu"} {
		b.AddMachine(name)
	}
	list := func(status int, params ...string) answer {
		t.Helper()
		return b.call(b.SecretKey(), "GET", "/machines"+query(params...), nil).is(status, "form_param_invalid")
	}
	names := func(a answer) (all []string) {
		data, _ := a.get("data").([]any)
		for i := range data {
			all = append(all, a.text("data", i, "name"))
		}
		return all
	}
	for _, test := range []struct {
		params []string
		total  int
		want   []string
	}{
		{nil, 5, []string{"orders-eu", "stock", "Orders", "billing", "default"}},
		{[]string{"order_by", "created_at"}, 5, []string{"default", "billing", "Orders", "stock", "orders-eu"}},
		{[]string{"order_by", "+created_at"}, 5, []string{"default", "billing", "Orders", "stock", "orders-eu"}},
		{[]string{"order_by", "name"}, 5, []string{"Orders", "billing", "default", "orders-eu", "stock"}},
		{[]string{"order_by", "-name"}, 5, []string{"stock", "orders-eu", "default", "billing", "Orders"}},
		{[]string{"query", "order"}, 2, []string{"orders-eu", "Orders"}},
		{[]string{"query", b.Machine().ID}, 1, []string{"default"}},
		{[]string{"query", b.Machine().ID[:20]}, 0, nil},
		{[]string{"limit", "2", "offset", "1"}, 5, []string{"stock", "Orders"}},
	} {
		a := list(200, test.params...).has(test.total, "total_count")
		if got := names(a); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, not %v", test.params, got, test.want)
		}
	}
	list(422, "order_by", "colour").has("order_by", "errors", 0, "meta", "param_name")
}

func TestDeleteMachine(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	token := p.MintM2M(p.orders.ID)
	bearer := p.MintJWT(p.orders.ID)
	toOrders := p.AddMachine("stock", p.orders.ID)
	p.call(p.SecretKey(), "DELETE", "/machines/"+p.orders.ID, nil).is(200, "").has(p.orders.ID, "id").has(true, "deleted")
	p.verify(p.SecretKey(), string(token.Token)).is(404, "resource_not_found")
	p.verify(p.SecretKey(), bearer).is(404, "resource_not_found")
	p.create(`{}`).is(401, "machine_secret_key_invalid")
	p.call(p.SecretKey(), "GET", "/m2m_tokens"+query("subject", p.orders.ID), nil).is(404, "resource_not_found")
	p.call(p.SecretKey(), "GET", "/machines/"+toOrders.ID, nil).is(200, "").has([]string{}, "scoped_machines")
	p.call(string(toOrders.SecretKey), "POST", "/m2m_tokens", `{}`).is(201, "").has([]string{}, "scopes")
}

func TestRotateSecretKey(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	m := b.AddMachine("m")
	rotate := func(ttl int) string {
		t.Helper()
		return b.call(b.SecretKey(), "POST", "/machines/"+m.ID+"/secret_key/rotate", fmt.Sprintf(`{"previous_token_ttl":%d}`, ttl)).is(200, "").text("secret")
	}
	works := func(key string, want bool) {
		t.Helper()
		status := map[bool]int{true: 201, false: 401}[want]
		b.call(key, "POST", "/m2m_tokens", `{}`).is(status, "machine_secret_key_invalid")
	}
	first := string(m.SecretKey)
	second := rotate(60)
	if !strings.HasPrefix(second, "ak_") || second == first || b.MachineSecretKey(m.ID) != second {
		t.Fatalf("the second key is %q", second)
	}
	works(first, true)
	works(second, true)
	b.Advance(59 * time.Second)
	third := rotate(0)
	works(first, true) // its own grace is not over
	works(second, false)
	works(third, true)
	b.Advance(time.Second)
	works(first, false)
	works(third, true)
}

func TestScopes(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	m, to := b.AddMachine("m"), b.AddMachine("to")
	path := "/machines/" + m.ID + "/scopes"
	body := map[string]any{"to_machine_id": to.ID}
	b.call(b.SecretKey(), "POST", path, body).is(200, "").has(m.ID, "from_machine_id").has(to.ID, "to_machine_id").has(now.UnixMilli(), "created_at")
	b.call(b.SecretKey(), "POST", path, body).is(409, "machine_scope_already_exists")
	b.call(b.SecretKey(), "DELETE", path+"/"+to.ID, nil).is(200, "").has(m.ID, "from_machine_id").has(to.ID, "to_machine_id").has(true, "deleted")
	b.call(b.SecretKey(), "DELETE", path+"/"+to.ID, nil).is(404, "resource_not_found")
	for range 150 {
		b.AddScope(m.ID, b.AddMachine("one of 150").ID)
	}
	b.call(b.SecretKey(), "POST", path, body).is(422, "machine_scope_limit_exceeded")
}
