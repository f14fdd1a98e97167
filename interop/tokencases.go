package main

import (
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// skew is the clock skew that everyone is told to allow: so much that a slow run changes no verdict.
const skew = time.Minute

// forged is a token of some kind, and what is done to it. The zero value of all but kind is a good JWT.
type forged struct {
	kind       authn.TokenType
	how        []m2mtest.MintOption
	rawHeader  func(string) string // changes the header's JSON, before it is signed
	rawPayload func(string) string // changes the payload's JSON, before it is signed
	afterwards func(string) string // changes the token
	minting    minting
}

// minting is how a token is made.
type minting int

const (
	mintJWT    minting = iota // by the emulator
	createJWT                 // by our client, with a call
	mintOpaque                // by the emulator
	unknown                   // it never was: it is how, as text
)

// tokenCase is a token that a service which accepts one kind is given.
type tokenCase struct {
	name   string
	accept authn.TokenType
	forged forged
	ours   decision // "" is refuses
	jwks   decision // ours where the keys are fetched, if it is another then
}

// want is what is expected of us.
func (c tokenCase) want(mode string) decision {
	switch {
	case mode == jwksMode && c.jwks != "":
		return c.jwks
	case c.ours == "":
		return refuses
	}
	return c.ours
}

// jwtCases has, for each kind of JWT, what is good and what is not.
func jwtCases(now time.Time, caller string) []tokenCase {
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
		{authn.M2MToken, m2mCases()}, {authn.OAuthToken, oauthCases(caller)}, {authn.SessionToken, sessionCases(caller)},
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

func with(how ...m2mtest.MintOption) forged { return forged{how: how} }

func header(name string, value any) forged { return with(m2mtest.Header(name, value)) }

func claim(name string, value any) forged { return with(m2mtest.Claim(name, value)) }

func alg(name string) forged { return with(m2mtest.Algorithm(name)) }

// anyKind is what can be done to a JWT of any kind.
func anyKind(now time.Time) []tokenCase {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	text := func(f func(string) string) forged { return forged{afterwards: f} }
	part := func(i int, f func(string) string) forged {
		return text(func(token string) string {
			parts := strings.Split(token, ".")
			parts[i] = f(parts[i])
			return strings.Join(parts, ".")
		})
	}
	return []tokenCase{
		{name: "as it was minted", ours: accepts},

		// Time.
		{name: "expired", forged: claim("exp", at(-time.Hour))},
		{name: "expired within the clock skew", forged: claim("exp", at(-10*time.Second)), ours: accepts},
		{name: "without exp", forged: with(m2mtest.WithoutClaim("exp"))},
		{name: "exp as text", forged: claim("exp", "4102444800")},
		{name: "exp with a fraction", forged: claim("exp", float64(at(time.Hour))+.5), ours: accepts},
		{name: "not valid yet", forged: claim("nbf", at(time.Hour))},
		{name: "without nbf", forged: with(m2mtest.WithoutClaim("nbf")), ours: accepts},
		{name: "nbf as text", forged: claim("nbf", "0")},
		{name: "issued in the future", forged: claim("iat", at(time.Hour))},
		{name: "without iat", forged: with(m2mtest.WithoutClaim("iat")), ours: accepts},

		// Who.
		{name: "without sub", forged: with(m2mtest.WithoutClaim("sub"))},
		{name: "sub as a number", forged: claim("sub", 7)},
		{name: "without jti", forged: with(m2mtest.WithoutClaim("jti")), ours: accepts},
		{name: "without iss", forged: with(m2mtest.WithoutClaim("iss")), ours: accepts},
		{name: "iss of another service", forged: claim("iss", "https://issuer.example"), ours: accepts},

		// The key.
		{name: "signed by another key", forged: with(m2mtest.ForeignKey())},
		{name: "unknown kid", forged: header("kid", "ins_0000000000000000000000000000"), ours: accepts, jwks: refuses},
		{name: "without kid", forged: with(m2mtest.WithoutHeader("kid")), ours: accepts, jwks: refuses},

		// The algorithm.
		{name: "alg none, no signature", forged: alg("none")},
		{name: "HS256 with the public key as the secret", forged: alg("HS256")},
		{name: "RS384 by the right key", forged: alg("RS384")},
		{name: "RS512 by the right key", forged: alg("RS512")},
		{name: "PS256 by the right key", forged: alg("PS256")},
		{name: "alg RS512, signed with RS256", forged: header("alg", "RS512")},
		{name: "ES256 by a key that no instance has", forged: alg("ES256")},
		{name: "EdDSA by a key that no instance has", forged: alg("EdDSA")},
		{name: "alg in lower case", forged: header("alg", "rs256")},
		{name: "without alg", forged: with(m2mtest.WithoutHeader("alg"))},

		// The header.
		{name: "typ in lower case", forged: header("typ", "jwt")},
		{name: "a critical extension", forged: with(m2mtest.Header("crit", []string{"bound"}), m2mtest.Header("bound", true))},
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

func m2mCases() []tokenCase {
	return []tokenCase{
		{name: "as our client creates it", forged: forged{minting: createJWT}, ours: accepts},
		{name: "a session token", forged: forged{kind: authn.SessionToken}},
		{name: "an OAuth token", forged: forged{kind: authn.OAuthToken}},
		{name: "cat of a session", forged: header("cat", "cl_B7d4PD111AAA")},
		{name: "cat of a JWT template", forged: header("cat", "cl_B7d4PD222AAA")},
		{name: "cat that says nothing", forged: header("cat", "cl_I7d4PD111III"), ours: accepts},
		{name: "cat unknown", forged: header("cat", "cl_B7d4PD999AAA")},
		{name: "without cat", forged: with(m2mtest.WithoutHeader("cat")), ours: accepts},
		{name: "cat null", forged: header("cat", nil)},
		{name: "typ of an OAuth token", forged: header("typ", "at+jwt")},
		{name: "without typ", forged: with(m2mtest.WithoutHeader("typ")), ours: accepts},
		{name: "sub of a user", forged: claim("sub", aUser)},
		{name: "sub without an id", forged: claim("sub", "mch_")},
		{name: "without scopes and aud", forged: with(m2mtest.WithoutClaim("scopes"), m2mtest.WithoutClaim("aud")), ours: accepts},
		{name: "scopes as a list", forged: claim("scopes", []string{bMachine}), ours: accepts},
		{name: "scopes empty", forged: claim("scopes", ""), ours: accepts},
		{name: "scopes from aud as text", forged: with(m2mtest.WithoutClaim("scopes"), m2mtest.Claim("aud", bMachine)), ours: accepts},
		{name: "scopes from aud as a list", forged: with(m2mtest.WithoutClaim("scopes"), m2mtest.Claim("aud", []string{bMachine})), ours: accepts},
		{name: "aud as a number", forged: claim("aud", 7)},
		{name: "custom claims", forged: claim("tenant", map[string]any{"id": "acme", "tiers": []int{1, 2}}), ours: accepts},
	}
}

func oauthCases(caller string) []tokenCase {
	return []tokenCase{
		{name: "an M2M token", forged: forged{kind: authn.M2MToken}},
		{name: "a session token", forged: forged{kind: authn.SessionToken}},
		{name: "typ with application/", forged: header("typ", "application/at+jwt"), ours: accepts},
		{name: "typ of any JWT", forged: header("typ", "JWT")},
		{name: "without typ", forged: with(m2mtest.WithoutHeader("typ"))},
		{name: "sub of a machine", forged: claim("sub", caller)},
		{name: "without client_id", forged: with(m2mtest.WithoutClaim("client_id")), ours: accepts},
		{name: "scopes from scp", forged: with(m2mtest.WithoutClaim("scope"), m2mtest.Claim("scp", []string{"email"})), ours: accepts},
		{name: "scope empty", forged: claim("scope", ""), ours: accepts},
	}
}

func sessionCases(caller string) []tokenCase {
	return []tokenCase{
		{name: "an M2M token", forged: forged{kind: authn.M2MToken}},
		{name: "an M2M token without cat", forged: forged{kind: authn.M2MToken, how: []m2mtest.MintOption{m2mtest.WithoutHeader("cat")}}},
		{name: "an OAuth token", forged: forged{kind: authn.OAuthToken}},
		{name: "of a JWT template", forged: with(m2mtest.Header("cat", "cl_B7d4PD222AAA"), m2mtest.WithoutClaim("sid"))},
		{name: "cat of an M2M token", forged: header("cat", "cl_B7d4PD333AAA")},
		{name: "cat that says nothing", forged: header("cat", "cl_I7d4PD111III"), ours: accepts},
		{name: "without cat", forged: with(m2mtest.WithoutHeader("cat")), ours: accepts},
		{name: "without typ", forged: with(m2mtest.WithoutHeader("typ")), ours: accepts},
		{name: "sub of a machine", forged: claim("sub", caller)},
		{name: "without sid", forged: with(m2mtest.WithoutClaim("sid"))},
		{name: "azp of another origin", forged: claim("azp", "https://elsewhere.example"), ours: accepts},
	}
}

// opaqueCases has, for each kind of token that is looked up, what is good and what is not. Where lenient, dead tokens
// are answered with 200.
func opaqueCases(callee, stranger string) []tokenCase {
	dead := []m2mtest.MintOption{m2mtest.Revoked("rotated")}
	old := []m2mtest.MintOption{m2mtest.ExpiresIn(-time.Hour)}
	var cases []tokenCase
	for _, kind := range []authn.TokenType{authn.M2MToken, authn.APIKey, authn.OAuthToken} {
		never := map[authn.TokenType]string{authn.M2MToken: "mt_", authn.APIKey: "ak_", authn.OAuthToken: "oat_"}[kind] + strings.Repeat("0", 32)
		for _, c := range []tokenCase{
			{name: "live", ours: accepts},
			{name: "revoked", forged: forged{how: dead}},
			{name: "expired", forged: forged{how: old}},
			{name: "that never was", forged: forged{minting: unknown, afterwards: always(never)}},
		} {
			c.accept, c.forged.kind = kind, kind
			if c.forged.minting != unknown {
				c.forged.minting = mintOpaque
			}
			cases = append(cases, c)
		}
	}
	scoped := func(ids ...string) forged {
		return forged{kind: authn.M2MToken, minting: mintOpaque, how: []m2mtest.MintOption{m2mtest.Scopes(ids...)}}
	}
	return append(
		cases,
		tokenCase{name: "for this machine and another", accept: authn.M2MToken, forged: scoped(stranger, callee), ours: accepts},
		tokenCase{name: "for another machine", accept: authn.M2MToken, forged: scoped(stranger)},
		tokenCase{name: "for no machine", accept: authn.M2MToken, forged: scoped()},
	)
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
