package main

import (
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
)

// skew is the clock skew that everyone is told to allow: so much that a slow run changes no verdict.
const skew = time.Minute

// forged is a JWT of some kind, and what is done to it. The zero value of all but kind is a good token.
type forged struct {
	kind       authn.TokenType
	header     map[string]any      // members set; nil takes one away
	claims     map[string]any      // members set; nil takes one away
	rawHeader  func(string) string // changes the header's JSON
	rawPayload func(string) string // changes the payload's JSON
	sign       signing             // how it is signed
	afterwards func(string) string // what is done to the token
}

// signing is how a JWT is signed.
type signing string

const (
	byInstance  signing = "" // as the instance does: RS256, its key
	byStranger  signing = "RS256 by another key"
	withSecret  signing = "HS256 with the public key as the secret"
	notAtAll    signing = "none"
	withRS384   signing = "RS384"
	withRS512   signing = "RS512"
	withPS256   signing = "PS256"
	onlyClaimed signing = "RS256, though the header says RS512"
)

// tokenCase is a token that a service which accepts one kind is given.
type tokenCase struct {
	name   string
	accept authn.TokenType
	forged forged
	pem    decision // ours with the key given; "" is refuses
	jwks   decision // ours with the keys fetched; "" is as pem
}

func (c tokenCase) want(mode string) decision {
	want := c.pem
	if mode == jwksMode && c.jwks != "" {
		want = c.jwks
	}
	if want == "" {
		return refuses
	}
	return want
}

// tokenCases has, for each kind of JWT, what is good and what is not.
func tokenCases(now time.Time, caller string) []tokenCase {
	var cases []tokenCase
	for _, kind := range []authn.TokenType{authn.M2MToken, authn.OAuthToken, authn.SessionToken} {
		for _, c := range anyKind(now) {
			c.accept, c.forged.kind = kind, kind
			cases = append(cases, c)
		}
	}
	for _, group := range []struct {
		accept authn.TokenType
		cases  []tokenCase
	}{
		{authn.M2MToken, m2mCases(caller)}, {authn.OAuthToken, oauthCases(caller)}, {authn.SessionToken, sessionCases(caller)},
	} {
		for _, c := range group.cases {
			c.accept = group.accept
			if c.forged.kind == "" {
				c.forged.kind = group.accept
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// anyKind is what can be done to a JWT of any kind.
func anyKind(now time.Time) []tokenCase {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	header := func(name string, value any) forged { return forged{header: map[string]any{name: value}} }
	claim := func(name string, value any) forged { return forged{claims: map[string]any{name: value}} }
	text := func(f func(string) string) forged { return forged{afterwards: f} }
	part := func(i int, f func(string) string) forged {
		return text(func(token string) string {
			parts := strings.Split(token, ".")
			parts[i] = f(parts[i])
			return strings.Join(parts, ".")
		})
	}
	return []tokenCase{
		{name: "as it was minted", pem: accepts},

		// Time.
		{name: "expired", forged: claim("exp", at(-time.Hour))},
		{name: "expired within the clock skew", forged: claim("exp", at(-10*time.Second)), pem: accepts},
		{name: "without exp", forged: claim("exp", nil)},
		{name: "exp as text", forged: claim("exp", "4102444800")},
		{name: "exp with a fraction", forged: claim("exp", float64(at(time.Hour))+.5), pem: accepts},
		{name: "not valid yet", forged: claim("nbf", at(time.Hour))},
		{name: "without nbf", forged: claim("nbf", nil), pem: accepts},
		{name: "nbf as text", forged: claim("nbf", "0")},
		{name: "issued in the future", forged: claim("iat", at(time.Hour))},
		{name: "without iat", forged: claim("iat", nil), pem: accepts},

		// Who.
		{name: "without sub", forged: claim("sub", nil)},
		{name: "sub as a number", forged: claim("sub", 7)},
		{name: "without jti", forged: claim("jti", nil), pem: accepts},
		{name: "without iss", forged: claim("iss", nil), pem: accepts},
		{name: "iss of another service", forged: claim("iss", "https://issuer.example"), pem: accepts},

		// The key.
		{name: "signed by another key", forged: forged{sign: byStranger}},
		{name: "unknown kid", forged: header("kid", "ins_0000000000000000000000000000"), pem: accepts, jwks: refuses},
		{name: "without kid", forged: header("kid", nil), pem: accepts, jwks: refuses},

		// The algorithm.
		{name: "alg none, no signature", forged: forged{sign: notAtAll}},
		{name: "HS256 with the public key as the secret", forged: forged{sign: withSecret}},
		{name: "RS384 by the right key", forged: forged{sign: withRS384}},
		{name: "RS512 by the right key", forged: forged{sign: withRS512}},
		{name: "PS256 by the right key", forged: forged{sign: withPS256}},
		{name: "alg RS512, signed with RS256", forged: forged{sign: onlyClaimed}},
		{name: "alg in lower case", forged: header("alg", "rs256")},
		{name: "without alg", forged: header("alg", nil)},

		// The header.
		{name: "typ in lower case", forged: header("typ", "jwt")},
		{name: "a critical extension", forged: forged{header: map[string]any{"crit": []string{"bound"}, "bound": true}}},
		{name: "header null", forged: forged{rawHeader: always(`null`)}},
		{name: "header no JSON", forged: forged{rawHeader: always(`{"alg":"RS256"`)}},
		{name: "alg twice", forged: forged{rawHeader: first(`"alg":"none"`)}},

		// The payload.
		{name: "payload null", forged: forged{rawPayload: always(`null`)}},
		{name: "payload a list", forged: forged{rawPayload: always(`[]`)}},
		{name: "payload no JSON", forged: forged{rawPayload: always(`{"sub":`)}},
		{name: "sub twice", forged: forged{rawPayload: first(`"sub":"nobody"`)}},

		// The text.
		{name: "signature changed", forged: part(2, flip)},
		{name: "payload changed", forged: part(1, flip)},
		{name: "signature missing", forged: part(2, func(string) string { return "" })},
		{name: "signature too short", forged: part(2, func(s string) string { return s[:len(s)-4] })},
		{name: "two parts", forged: text(func(s string) string { return s[:strings.LastIndexByte(s, '.')] })},
		{name: "four parts", forged: text(func(s string) string { return s + ".e30" })},
		{name: "base64 with padding", forged: part(2, func(s string) string { return s + "==" })},
		{name: "base64 not URL-safe", forged: part(2, func(s string) string { return s[:8] + "+/" + s[10:] })},
		{name: "base64 with loose trailing bits", forged: part(2, loosen)},
	}
}

func m2mCases(caller string) []tokenCase {
	header := func(name string, value any) forged { return forged{header: map[string]any{name: value}} }
	claim := func(name string, value any) forged { return forged{claims: map[string]any{name: value}} }
	return []tokenCase{
		{name: "a session token", forged: forged{kind: authn.SessionToken}},
		{name: "an OAuth token", forged: forged{kind: authn.OAuthToken}},
		{name: "cat of a session", forged: header("cat", "cl_B7d4PD111AAA")},
		{name: "cat of a JWT template", forged: header("cat", "cl_B7d4PD222AAA")},
		{name: "cat that says nothing", forged: header("cat", "cl_I7d4PD111III"), pem: accepts},
		{name: "cat unknown", forged: header("cat", "cl_B7d4PD999AAA")},
		{name: "without cat", forged: header("cat", nil), pem: accepts},
		{name: "typ of an OAuth token", forged: header("typ", "at+jwt")},
		{name: "without typ", forged: header("typ", nil), pem: accepts},
		{name: "sub of a user", forged: claim("sub", aUser)},
		{name: "sub without an id", forged: claim("sub", "mch_")},
		{name: "without scopes and aud", forged: forged{claims: map[string]any{"scopes": nil, "aud": nil}}, pem: accepts},
		{name: "scopes as a list", forged: claim("scopes", []string{bMachine}), pem: accepts},
		{name: "scopes empty", forged: claim("scopes", ""), pem: accepts},
		{name: "scopes from aud as text", forged: forged{claims: map[string]any{"scopes": nil, "aud": bMachine}}, pem: accepts},
		{name: "scopes from aud as a list", forged: forged{claims: map[string]any{"scopes": nil, "aud": []string{bMachine}}}, pem: accepts},
		{name: "aud as a number", forged: claim("aud", 7)},
		{name: "custom claims", forged: claim("tenant", map[string]any{"id": "acme", "tiers": []int{1, 2}}), pem: accepts},
	}
}

func oauthCases(caller string) []tokenCase {
	header := func(name string, value any) forged { return forged{header: map[string]any{name: value}} }
	claim := func(name string, value any) forged { return forged{claims: map[string]any{name: value}} }
	return []tokenCase{
		{name: "an M2M token", forged: forged{kind: authn.M2MToken}},
		{name: "a session token", forged: forged{kind: authn.SessionToken}},
		{name: "typ with application/", forged: header("typ", "application/at+jwt"), pem: accepts},
		{name: "typ of any JWT", forged: header("typ", "JWT")},
		{name: "without typ", forged: header("typ", nil)},
		{name: "sub of a machine", forged: claim("sub", caller)},
		{name: "without client_id", forged: claim("client_id", nil), pem: accepts},
		{name: "scopes from scp", forged: forged{claims: map[string]any{"scope": nil, "scp": []string{"email"}}}, pem: accepts},
		{name: "scope empty", forged: claim("scope", ""), pem: accepts},
	}
}

func sessionCases(caller string) []tokenCase {
	header := func(name string, value any) forged { return forged{header: map[string]any{name: value}} }
	claim := func(name string, value any) forged { return forged{claims: map[string]any{name: value}} }
	return []tokenCase{
		{name: "an M2M token", forged: forged{kind: authn.M2MToken}},
		{name: "an M2M token without cat", forged: forged{kind: authn.M2MToken, header: map[string]any{"cat": nil}}},
		{name: "an OAuth token", forged: forged{kind: authn.OAuthToken}},
		{name: "of a JWT template", forged: forged{header: map[string]any{"cat": "cl_B7d4PD222AAA"}, claims: map[string]any{"sid": nil}}},
		{name: "cat of an M2M token", forged: header("cat", "cl_B7d4PD333AAA")},
		{name: "cat that says nothing", forged: header("cat", "cl_I7d4PD111III"), pem: accepts},
		{name: "without cat", forged: header("cat", nil), pem: accepts},
		{name: "without typ", forged: header("typ", nil), pem: accepts},
		{name: "sub of a machine", forged: claim("sub", caller)},
		{name: "without sid", forged: claim("sid", nil)},
		{name: "azp of another origin", forged: claim("azp", "https://elsewhere.example"), pem: accepts},
	}
}

func always(json string) func(string) string { return func(string) string { return json } }

// first puts a member before the others.
func first(member string) func(string) string {
	return func(json string) string { return "{" + member + "," + json[1:] }
}

// flip changes one character in the middle.
func flip(s string) string {
	i := len(s) / 2
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

// loosen sets a bit that the last character of base64 must not have. It stands for the same bytes where that is not
// checked.
func loosen(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[i|1])
}
