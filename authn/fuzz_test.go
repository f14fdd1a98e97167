package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
)

func FuzzHeaderToken(f *testing.F) {
	for _, s := range []string{"", "Bearer", "Bearer x", "bearer  x", "Bearer x y", "x", " Bearer\tx", "Basic eA==", "Bearer x, Bearer y", "BEARER mt_1 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token := headerToken(value)
		if strings.ContainsAny(token, " \t,") || !strings.Contains(value, token) || strings.EqualFold(token, "bearer") && len(strings.Fields(value)) == 1 {
			t.Errorf("%q gives %q", value, token)
		}
		// However it is written, the same token comes out.
		if token != "" && headerToken("bEARER   "+token) != token {
			t.Errorf("%q is not stable", token)
		}
		r := &http.Request{Header: http.Header{"Authorization": {value, value}}}
		if token, _ := requestToken(r, anyTokenSet); token != "" {
			t.Error("two Authorization headers carry a token")
		}
	})
}

// anyTokenSet is every type.
const anyTokenSet typeSet = 15

func FuzzTokenType(f *testing.F) {
	key := fuzzKeys()
	for _, s := range []string{
		"", "mt_", "mt_1", "oat_a.b.c", "ak_1", "a.b.c", "..", "mt_1.2.3", "garbage",
		key.sign(f, "RS256", `{"alg":"RS256"}`, `{"sub":"mch_1"}`), key.sign(f, "RS256", `{"alg":"RS256","typ":"at+jwt"}`, `{"sub":"user_1"}`),
		key.sign(f, "RS256", `{"alg":"RS256"}`, `null`), key.sign(f, "RS256", `{"alg":"RS256"}`, `{"sub":["mch_1"]}`),
	} {
		f.Add(s)
	}
	a, err := New(nil, WithLogger(nil), WithJWTKey(key.pem(f, "RS256")))
	if err != nil {
		f.Fatal(err)
	}
	a.can = anyTokenSet
	f.Fuzz(func(t *testing.T, token string) {
		kind := opaqueType(token)
		if kind != "" {
			if !strings.HasPrefix(token, map[TokenType]string{M2MToken: "mt_", APIKey: "ak_", OAuthToken: "oat_"}[kind]) {
				t.Fatalf("%q is a %s", token, kind)
			}
			return
		}
		s, err := a.AuthenticateToken(t.Context(), token, AnyToken()...)
		if err != nil || s.Status != SignedOut {
			t.Fatal(s, err)
		}
		if p, ok := parseJWT(token); ok {
			if want := p.tokenType(); s.TokenType != want {
				t.Errorf("a %s was judged as %s", want, s.TokenType)
			}
			if only, _ := a.AuthenticateToken(t.Context(), token, APIKey); only.Reason != ReasonTokenTypeMismatch {
				t.Errorf("as API key: %s", only.Reason)
			}
		} else if token != "" && (s.TokenType != SessionToken || s.Reason != ReasonTokenInvalid) {
			t.Errorf("got %s, %s", s.TokenType, s.Reason)
		}
	})
}

// FuzzJWT is differential: what we accept, go-jose and golang-jwt accept too, with the same claims. The
// fuzzer chooses header and payload; the harness signs them, or lets the fuzzer's signature stand.
func FuzzJWT(f *testing.F) {
	keys := fuzzKeys()
	for _, alg := range keys.algorithms() {
		f.Add(alg, `{"alg":"`+alg+`","typ":"JWT","kid":"k"}`, `{"iss":"i","sub":"mch_1","exp":1768482000,"nbf":1,"iat":1.5,"jti":"mt_1","scopes":"a b"}`, "")
		f.Add(alg, `{"alg":"`+alg+`","typ":"at+jwt"}`, `{"sub":"user_1","exp":17684820000.25,"client_id":"c","scp":["a"],"aud":["x","y"]}`, "")
		f.Add(alg, `{"typ":"JWT","alg":"`+alg+`","cat":"cl_B7d4PD111AAA"}`, `{"sub":"user_1","sid":"s","exp":1e12,"azp":"o","aud":"x"}`, "AAAA")
	}
	f.Add("RS256", `{"alg":"none"}`, `{"sub":"mch_1","exp":1768482000}`, "")
	f.Add("RS256", `{"alg":"RS256","crit":["x"],"x":1}`, `{"sub":"mch_1","sub":"mch_2","exp":"1"}`, "")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	auths := map[string]*Authenticator{}
	for _, alg := range keys.algorithms() {
		a, err := New(nil, WithLogger(nil), WithJWTKey(keys.pem(f, alg)), WithClock(func() time.Time { return now }), WithClockSkew(0))
		if err != nil {
			f.Fatal(err)
		}
		a.can = anyTokenSet
		auths[alg] = a
	}
	f.Fuzz(func(t *testing.T, alg, header, payload, signature string) {
		a := auths[alg]
		if a == nil {
			t.Skip()
		}
		token := keys.sign(t, alg, header, payload)
		if signature != "" {
			token = token[:strings.LastIndexByte(token, '.')+1] + signature
		}
		s, err := a.AuthenticateToken(t.Context(), token, AnyToken()...)
		if err != nil {
			t.Fatal(err)
		}
		if s.Status != SignedIn {
			if s.Err == nil || s.Reason == "" || s.Auth != nil {
				t.Fatalf("half an answer: %+v", s)
			}
			return
		}
		key := keys.byAlg[alg].Public()
		mine := claimsOf(s.Auth)

		parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatalf("go-jose cannot parse what we accept: %v", err)
		}
		var std josejwt.Claims
		custom := map[string]any{}
		if err := parsed.Claims(key, &std, &custom); err != nil {
			t.Fatalf("go-jose refuses what we accept: %v", err)
		}
		if err := std.ValidateWithLeeway(josejwt.Expected{Time: now}, time.Second); err != nil {
			t.Fatalf("go-jose: %v", err)
		}
		if std.Subject != mine.subject || mine.hasID && std.ID != mine.id {
			t.Errorf("go-jose has %q, %q, we have %+v", std.Subject, std.ID, mine)
		}

		theirs, err := golangjwt.Parse(token, func(*golangjwt.Token) (any, error) { return key, nil },
			golangjwt.WithValidMethods([]string{alg}), golangjwt.WithTimeFunc(func() time.Time { return now }),
			golangjwt.WithLeeway(time.Second), golangjwt.WithExpirationRequired(), golangjwt.WithIssuedAt(), golangjwt.WithStrictDecoding())
		if err != nil {
			t.Fatalf("golang-jwt refuses what we accept: %v", err)
		}
		if sub, err := theirs.Claims.GetSubject(); err != nil || sub != mine.subject {
			t.Errorf("golang-jwt has %q, %v, we have %+v", sub, err, mine)
		}
		if exp, err := theirs.Claims.GetExpirationTime(); err != nil || exp.Unix() != mine.expires.Unix() && mine.expires.Unix() != 253402300799 {
			t.Errorf("golang-jwt has exp %v, %v, we have %v", exp, err, mine.expires)
		}
	})
}

type accepted struct {
	subject, id string
	hasID       bool
	expires     time.Time
}

func claimsOf(auth Auth) accepted {
	switch a := auth.(type) {
	case *M2MAuth:
		return accepted{a.Subject, a.ID, true, a.ExpiresAt}
	case *OAuthAuth:
		return accepted{a.Subject, a.ID, true, a.ExpiresAt}
	case *SessionAuth:
		return accepted{a.UserID, "", false, a.ExpiresAt}
	}
	return accepted{}
}

func FuzzPEM(f *testing.F) {
	keys := fuzzKeys()
	for _, alg := range keys.algorithms() {
		text := keys.pem(f, alg)
		f.Add(text)
		f.Add(strings.ReplaceAll(text, "\n", `\n`))
	}
	f.Add("-----BEGIN PUBLIC KEY-----")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := parsePEM(text)
		if err != nil {
			if len(err.Error()) > 500 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			return
		}
		if !supportedAlgorithm(key.alg) || key.verify("x.y", []byte("z")) {
			t.Errorf("odd key %+v", key)
		}
	})
}

func FuzzJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"1","n":"AQAB","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","kid":"2","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"3","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseJWKS(text)
		if err != nil {
			return
		}
		if len(keys) > maxKeys {
			t.Errorf("%d keys", len(keys))
		}
		for id, key := range keys {
			if id == "" || key.id != id || !supportedAlgorithm(key.alg) || !key.same(key) || key.verify("x.y", []byte("z")) {
				t.Errorf("odd key %+v", key)
			}
		}
	})
}

func FuzzPublishableKey(f *testing.F) {
	for _, s := range []string{"pk_live_Y2xlcmsuYXBwLmV4YW1wbGUuY29tJA==", "pk_test_MTI3LjAuMC4xOjgwODAk", "pk_live_", "sk_live_x", "pk_test_JA"} {
		f.Add(s)
	}
	for _, host := range []string{"evil.com/x", "a@b.com", "a.b:443", "[::1]:80", "localhost", "a..b", "a.b?x", "a.b#x", "%61.b", "a.b\n", "10.0.0.1", "ex\u00e4mple.com"} {
		f.Add("pk_live_" + base64.StdEncoding.EncodeToString([]byte(host+"$")))
	}
	f.Fuzz(func(t *testing.T, key string) {
		base, err := frontendURL(key)
		if err != nil {
			return
		}
		host, https := strings.CutPrefix(base, "https://")
		if !https {
			host, _ = strings.CutPrefix(base, "http://")
			name, _, _ := strings.Cut(host, ":")
			if name != "localhost" && !strings.HasPrefix(name, "127.") && !strings.HasPrefix(host, "[") {
				t.Errorf("%q would be fetched in the clear", base)
			}
		}
		if host == "" || strings.ContainsAny(host, "/?#@ \\%\r\n\t") {
			t.Errorf("%q names %q", key, base)
		}
	})
}

// fuzzSigners has one key for each algorithm.
type fuzzSigners struct{ byAlg map[string]crypto.Signer }

var fuzzKeys = sync.OnceValue(func() *fuzzSigners {
	s := &fuzzSigners{byAlg: map[string]crypto.Signer{}}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	s.byAlg["RS256"] = rsaKey
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		if s.byAlg[alg], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			panic(err)
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	s.byAlg["EdDSA"] = ed
	return s
})

func (s *fuzzSigners) algorithms() []string {
	return []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"}
}

func (s *fuzzSigners) pem(t testing.TB, alg string) string {
	der, err := x509.MarshalPKIXPublicKey(s.byAlg[alg].Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (s *fuzzSigners) sign(t testing.TB, alg, header, payload string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	signature, err := golangjwt.GetSigningMethod(alg).Sign(signed, s.byAlg[alg])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(signature)
}
