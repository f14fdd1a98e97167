package m2mtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// pair is two machines, of which orders may call billing.
type pair struct {
	*backend
	billing, orders m2mtest.Machine
}

func newPair(t *testing.T, opts ...m2mtest.Option) pair {
	t.Helper()
	b := newBackend(t, opts...)
	billing := b.AddMachine("billing")
	return pair{b, billing, b.AddMachine("orders", billing.ID)}
}

func (p pair) create(body any) answer {
	p.t.Helper()
	return p.call(string(p.orders.SecretKey), "POST", "/m2m_tokens", body)
}

func (p pair) verify(key, token string) answer {
	p.t.Helper()
	return p.call(key, "POST", "/m2m_tokens/verify", map[string]any{"token": token})
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.call(p.SecretKey(), "PATCH", "/machines/"+p.orders.ID, map[string]any{"default_token_ttl": 600}).is(200, "")
	for _, test := range []struct {
		body string
		want any // seconds, or nil for never
	}{
		{`{}`, 600},
		{`{"seconds_until_expiration":60}`, 60},
		{`{"seconds_until_expiration":null}`, nil},
		{`{"token_format":"jwt"}`, 600},
		{`{"token_format":"jwt","seconds_until_expiration":60}`, 60},
		{`{"token_format":"jwt","seconds_until_expiration":null}`, 600},
	} {
		want := test.want
		if n, ok := want.(int); ok {
			want = float64(now.UnixMilli() + int64(n)*1000)
		}
		p.create(test.body).is(201, "").has(want, "expiration").has(false, "expired").has(now.UnixMilli(), "created_at")
	}
	p.rawCall(string(p.orders.SecretKey), "POST", "/v1/m2m_tokens", `{"seconds_until_expiration":9223372036854775807}`).is(400, "bad_request")
}

func TestCreatedToken(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	opaque := p.create(`{"claims":{"tenant":"acme","n":[1,{"a":null}]}}`).is(201, "").
		has(p.orders.ID, "subject").has([]string{p.billing.ID}, "scopes").has(nil, "last_used_at").has(nil, "revocation_reason").
		has(map[string]any{"tenant": "acme", "n": []any{1, map[string]any{"a": nil}}}, "claims")
	if token := opaque.text("token"); !strings.HasPrefix(token, "mt_") || token == opaque.text("id") || len(token) < 32 {
		t.Errorf("the token is %q", token)
	}
	p.create(`{"claims":null}`).is(201, "").has(nil, "claims")

	// Scopes are those of the machine when the token is minted.
	p.call(p.SecretKey(), "DELETE", "/machines/"+p.orders.ID+"/scopes/"+p.billing.ID, nil).is(200, "")
	p.create(`{}`).is(201, "").has([]string{}, "scopes")
	p.verify(string(p.billing.SecretKey), opaque.text("token")).is(200, "").has([]string{p.billing.ID}, "scopes")
}

// An independent implementation reads what is minted, with the keys that are served.
func TestJWT(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	created := p.create(`{"token_format":"jwt","claims":{"tenant":"acme"},"seconds_until_expiration":60}`).is(201, "").
		has(map[string]any{"tenant": "acme"}, "claims").has([]string{p.billing.ID}, "scopes")
	var keys jose.JSONWebKeySet
	decodeInto(t, p.call(p.SecretKey(), "GET", "/jwks", nil).is(200, "").raw, &keys)

	parsed, err := jwt.ParseSigned(created.text("token"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Headers[0]
	if header.KeyID != p.InstanceID() || header.ExtraHeaders["typ"] != "JWT" || header.ExtraHeaders["cat"] != "cl_B7d4PD333AAA" {
		t.Errorf("the header is %+v", header)
	}
	var std jwt.Claims
	var own struct {
		Scopes string `json:"scopes"`
		Tenant string `json:"tenant"`
	}
	if err := parsed.Claims(keys, &std, &own); err != nil {
		t.Fatal(err)
	}
	if err := std.ValidateWithLeeway(jwt.Expected{Issuer: p.Issuer(), Subject: p.orders.ID, AnyAudience: jwt.Audience{p.billing.ID}, Time: now}, 0); err != nil {
		t.Error(err)
	}
	if std.ID != created.text("id") || std.Expiry.Time().Sub(now) != time.Minute || own.Scopes != p.billing.ID || own.Tenant != "acme" {
		t.Errorf("the claims are %+v and %+v", std, own)
	}

	// It is not stored, and verified all the same.
	p.call(p.SecretKey(), "GET", "/m2m_tokens"+query("subject", p.orders.ID), nil).is(200, "").has(0, "total_count")
	p.call(p.SecretKey(), "POST", "/m2m_tokens/"+created.text("id")+"/revoke", `{}`).is(404, "resource_not_found")
	p.verify(string(p.billing.SecretKey), created.text("token")).is(200, "").
		has(created.text("id"), "id").has(p.orders.ID, "subject").has(map[string]any{"tenant": "acme"}, "claims").
		has([]string{p.billing.ID}, "scopes").has(now.Add(time.Minute).UnixMilli(), "expiration").has(now.UnixMilli(), "created_at")
	if p.Cost().OpaqueVerifications != 0 {
		t.Error("the verification of a JWT is counted")
	}
	p.Advance(time.Minute)
	p.verify(p.SecretKey(), created.text("token")).is(404, "resource_not_found")
}

func TestReservedClaims(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scopes"} {
		p.create(map[string]any{"token_format": "jwt", "claims": map[string]any{name: "x"}}).is(400, "bad_request").
			has("/claims/"+name, "errors", 0, "meta", "pointer")
		p.create(map[string]any{"claims": map[string]any{name: "x"}}).is(201, "")
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	other := p.AddMachine("other")
	token := p.create(`{}`).text("token")
	bearer := p.create(`{"token_format":"jwt"}`).text("token")
	for _, test := range []struct {
		name, key, token string
		status           int
	}{
		{"the callee", string(p.billing.SecretKey), token, 200},
		{"the instance", p.SecretKey(), token, 200},
		{"the caller itself", string(p.orders.SecretKey), token, 404},
		{"a machine it was not granted to", string(other.SecretKey), token, 404},
		{"the callee, a JWT", string(p.billing.SecretKey), bearer, 200},
		{"the instance, a JWT", p.SecretKey(), bearer, 200},
		{"a machine a JWT was not granted to", string(other.SecretKey), bearer, 404},
		{"unknown", p.SecretKey(), "mt_unknown", 404},
		{"not a token", p.SecretKey(), "hello", 404},
		{"empty", p.SecretKey(), "", 404},
		{"its id", p.SecretKey(), p.create(`{}`).text("id"), 404},
		{"a JWT that was changed", p.SecretKey(), bearer[:len(bearer)-9] + "AAAAAAAAA", 404},
		{"a JWT of a foreign key", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.ForeignKey()), 404},
		{"an unsigned JWT", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Algorithm("none")), 404},
		{"a JWT signed with the public key", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Algorithm("HS256")), 404},
		{"a JWT of another algorithm", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Algorithm("RS512")), 404},
		{"a JWT of another kid", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Header("kid", "ins_other")), 404},
		{"a JWT with crit", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Header("crit", []string{"b64"})), 404},
		{"a JWT of another category", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Header("cat", "cl_B7d4PD111AAA")), 404},
		{"a JWT of another type", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Header("typ", "at+jwt")), 404},
		{"a JWT without a category", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.WithoutHeader("cat")), 200},
		{"a JWT without exp", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.WithoutClaim("exp")), 404},
		{"a JWT whose exp is text", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Claim("exp", "soon")), 404},
		{"a JWT that expired", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.ExpiresIn(-time.Second)), 404},
		{"a JWT that is not valid yet", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.Claim("nbf", now.Unix()+1)), 404},
		{"a JWT of a machine that is not there", p.SecretKey(), p.MintJWT("mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"), 404},
		{"a JWT without scopes, with aud", string(p.billing.SecretKey), p.MintJWT(p.orders.ID, m2mtest.WithoutClaim("scopes")), 200},
		{"a JWT without either", string(p.billing.SecretKey), p.MintJWT(p.orders.ID, m2mtest.Scopes()), 404},
		{"a session token", p.SecretKey(), p.MintSession(p.UserID()), 404},
		{"an OAuth token", p.SecretKey(), p.MintOAuthJWT(p.UserID()), 404},
		{"a payload that is no object", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.RawPayload("[]")), 404},
		{"a header that is null", p.SecretKey(), p.MintJWT(p.orders.ID, m2mtest.RawHeader("null")), 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := p
			p.t = t
			p.backend = &backend{p.Server, t, p.contract}
			p.verify(test.key, test.token).is(test.status, "resource_not_found")
		})
	}
}

func TestVerifySetsLastUsed(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	token := p.create(`{}`)
	p.Advance(time.Minute)
	p.verify(p.SecretKey(), token.text("token")).is(200, "").has(now.Add(time.Minute).UnixMilli(), "last_used_at").has(nil, "token")
}

func TestDeadTokens(t *testing.T) {
	t.Parallel()
	for _, as200 := range []bool{false, true} {
		t.Run(fmt.Sprint(as200), func(t *testing.T) {
			t.Parallel()
			var opts []m2mtest.Option
			status := 404
			if as200 {
				opts, status = append(opts, m2mtest.WithDeadTokensAs200()), 200
			}
			p := newPair(t, opts...)
			revoked := p.create(`{}`)
			p.call(p.SecretKey(), "POST", "/m2m_tokens/"+revoked.text("id")+"/revoke", `{"revocation_reason":"leaked"}`).is(200, "")
			expired := p.create(`{"seconds_until_expiration":60}`)
			bearer := p.create(`{"token_format":"jwt","seconds_until_expiration":60}`)
			p.Advance(time.Minute)
			a := p.verify(p.SecretKey(), revoked.text("token")).is(status, "resource_not_found")
			if as200 {
				a.has(true, "revoked").has("leaked", "revocation_reason")
			}
			for _, token := range []string{expired.text("token"), bearer.text("token")} {
				if a := p.verify(p.SecretKey(), token).is(status, "resource_not_found"); as200 {
					a.has(true, "expired")
				}
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	token := p.create(`{}`)
	path := "/m2m_tokens/" + token.text("id") + "/revoke"
	p.call(string(p.billing.SecretKey), "POST", path, `{}`).is(404, "resource_not_found")
	p.call(string(p.orders.SecretKey), "POST", path, `{"revocation_reason":"rotated"}`).is(200, "").
		has(true, "revoked").has("rotated", "revocation_reason").has(nil, "token")
	p.Advance(time.Minute)
	p.call(p.SecretKey(), "POST", path, `{"revocation_reason":"again"}`).is(200, "").
		has("rotated", "revocation_reason").has(now.UnixMilli(), "updated_at")
	p.call(p.SecretKey(), "POST", "/m2m_tokens/mt_00000000000000000000000000000000/revoke", `{}`).is(404, "resource_not_found")
	if again := p.create(`{}`); again.text("id") == token.text("id") {
		t.Error("an id is used twice")
	}
}

func TestListTokens(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	var ids []string
	for range 12 {
		ids = append(ids, p.create(`{}`).text("id"))
	}
	slices.Reverse(ids) // newest first
	p.MintM2M(p.orders.ID, m2mtest.Revoked("x"))
	p.MintM2M(p.orders.ID, m2mtest.ExpiresIn(-time.Hour))
	p.MintM2M(p.billing.ID)

	list := func(key string, filter ...string) answer {
		t.Helper()
		return p.call(key, "GET", "/m2m_tokens"+query(append([]string{"subject", p.orders.ID}, filter...)...), nil)
	}
	check := func(a answer, total int, want []string) {
		t.Helper()
		a.is(200, "").has(total, "total_count")
		tokens, _ := a.get("m2m_tokens").([]any)
		var got []string
		for i := range tokens {
			got = append(got, a.text("m2m_tokens", i, "id"))
			a.has(nil, "m2m_tokens", i, "token").has(p.orders.ID, "m2m_tokens", i, "subject")
		}
		if want != nil && !slices.Equal(got, want) {
			t.Errorf("listed are %v, not %v", got, want)
		}
	}
	own := string(p.orders.SecretKey)
	check(list(own), 12, ids[:10])
	check(list(p.SecretKey(), "limit", "5"), 12, ids[:5])
	check(list(own, "limit", "5", "offset", "10"), 12, ids[10:])
	check(list(own, "offset", "12"), 12, []string{})
	check(list(own, "offset", "9223372036854775807"), 12, []string{})
	check(list(own, "limit", "100", "revoked", "true"), 13, nil)
	check(list(own, "limit", "100", "expired", "true"), 13, nil)
	check(list(own, "limit", "100", "revoked", "true", "expired", "true"), 14, nil)
	check(list(own, "revoked", "false"), 12, ids[:10])
	list(string(p.billing.SecretKey)).is(403, "forbidden")
	p.call(p.SecretKey(), "GET", "/m2m_tokens"+query("subject", "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"), nil).is(404, "resource_not_found")
}

func TestReuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		first  string
		before func(pair, answer)
		second string
		reused bool
	}{
		{"same", `{}`, nil, `{"min_remaining_ttl_seconds":300}`, true},
		{"zero", `{}`, nil, `{"min_remaining_ttl_seconds":0}`, true},
		{"not asked for", `{}`, nil, `{}`, false},
		{"null is absent", `{"claims":null}`, nil, `{"min_remaining_ttl_seconds":300}`, true},
		{"claims in another order", `{"claims":{"a":1,"b":2}}`, nil, `{"claims":{"b":2.0,"a":1},"min_remaining_ttl_seconds":300}`, true},
		{"other claims", `{"claims":{"a":1}}`, nil, `{"claims":{"a":2},"min_remaining_ttl_seconds":300}`, false},
		{"no claims", `{"claims":{"a":1}}`, nil, `{"min_remaining_ttl_seconds":300}`, false},
		{"a JWT is not stored", `{"token_format":"jwt"}`, nil, `{"min_remaining_ttl_seconds":300}`, false},
		{"a JWT is never reused", `{}`, nil, `{"token_format":"jwt","min_remaining_ttl_seconds":300}`, false},
		{"never expires", `{"seconds_until_expiration":null}`, nil, `{"min_remaining_ttl_seconds":300}`, true},
		{"just enough left", `{"seconds_until_expiration":400}`, func(p pair, _ answer) { p.Advance(100 * time.Second) }, `{"min_remaining_ttl_seconds":300}`, true},
		{"not enough left", `{"seconds_until_expiration":400}`, func(p pair, _ answer) { p.Advance(101 * time.Second) }, `{"min_remaining_ttl_seconds":300}`, false},
		{"revoked", `{}`, func(p pair, a answer) {
			p.call(p.SecretKey(), "POST", "/m2m_tokens/"+a.text("id")+"/revoke", `{}`).is(200, "")
		}, `{"min_remaining_ttl_seconds":300}`, false},
		{"other scopes", `{}`, func(p pair, _ answer) { p.AddScope(p.orders.ID, p.AddMachine("stock").ID) }, `{"min_remaining_ttl_seconds":300}`, false},
		{"another machine's", `{}`, func(p pair, _ answer) {
			p.call(p.SecretKey(), "DELETE", "/machines/"+p.orders.ID+"/scopes/"+p.billing.ID, nil).is(200, "")
			p.MintM2M(p.billing.ID)
		}, `{"min_remaining_ttl_seconds":300}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			first := p.create(test.first).is(201, "")
			if test.before != nil {
				test.before(p, first)
			}
			second := p.create(test.second).is(201, "")
			if reused := first.text("id") == second.text("id") && first.text("token") == second.text("token"); reused != test.reused {
				t.Errorf("reused is %v", reused)
			}
			if want := map[bool]int{true: 1, false: 2}[test.reused]; p.Cost().M2MTokensCreated != want {
				t.Errorf("%d tokens were created, not %d", p.Cost().M2MTokensCreated, want)
			}
		})
	}
}

func TestReuseAboveTheLifetime(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for body, status := range map[string]int{
		`{"seconds_until_expiration":60,"min_remaining_ttl_seconds":60}`:                    400,
		`{"seconds_until_expiration":60,"min_remaining_ttl_seconds":59}`:                    201,
		`{"min_remaining_ttl_seconds":3600}`:                                                400,
		`{"min_remaining_ttl_seconds":3599}`:                                                201,
		`{"seconds_until_expiration":null,"min_remaining_ttl_seconds":9e9}`:                 400, // the spec has it an integer
		`{"seconds_until_expiration":null,"min_remaining_ttl_seconds":9000000000000000000}`: 201,
	} {
		if a := p.create(body); a.status != status {
			t.Errorf("%s: %d, not %d: %s", body, a.status, status, a.raw)
		}
	}
}

func TestJWTOnly(t *testing.T) {
	t.Parallel()
	p := newPair(t, m2mtest.WithJWTOnly())
	p.create(`{}`).is(400, "bad_request").has("/token_format", "errors", 0, "meta", "pointer")
	p.create(`{"token_format":"jwt"}`).is(201, "")
}
