package m2mtest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	var hooked []m2mtest.Call
	p := newPair(t, m2mtest.WithCallHook(func(c m2mtest.Call) { hooked = append(hooked, c) }))
	token := p.create(`{}`)
	p.Advance(time.Second)
	p.rawCall(p.SecretKey(), "POST", "/m2m_tokens/"+token.text("id")+"/revoke", `{}`).is(200, "")
	p.rawCall("ak_unknown", "GET", "/v1/jwks?x="+p.SecretKey(), nil).is(401, "clerk_key_invalid")
	p.rawCall(p.SecretKey(), "POST", "/v1/m2m_tokens/"+token.text("token")+"/revoke", `{}`).is(400, "bad_request")
	p.rawCall("", "GET", "/"+p.SecretKey(), nil).is(404, "resource_not_found")
	want := []m2mtest.Call{
		{Operation: "createM2MToken", Method: "POST", Path: "/v1/m2m_tokens", Status: 201, Time: now, Credential: generated.CredentialKindMachineSecretKey, MachineID: p.orders.ID},
		{Operation: "revokeM2MToken", Method: "POST", Path: "/m2m_tokens/" + token.text("id") + "/revoke", Status: 200, Time: now.Add(time.Second), Credential: generated.CredentialKindSecretKey},
		{Operation: "GetJWKS", Method: "GET", Path: "/v1/jwks", Status: 401, Time: now.Add(time.Second)},
		{Operation: "revokeM2MToken", Method: "POST", Path: "/v1/m2m_tokens/*/revoke", Status: 400, Time: now.Add(time.Second), Credential: generated.CredentialKindSecretKey},
		{Method: "GET", Path: "/*", Status: 404, Time: now.Add(time.Second)},
	}
	got := p.Calls()
	if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(hooked) != fmt.Sprint(want) {
		t.Errorf("the calls are\n%v, not\n%v; hooked were\n%v", got, want, hooked)
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("call %d is %+v, not %+v", i, got[i], want[i])
		}
	}
	if p.CallsTo("revokeM2MToken") != 2 || p.CallsTo("CreateMachine") != 0 {
		t.Error("CallsTo counts something else")
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	token := p.create(`{}`).text("token")
	p.create(`{"token_format":"jwt"}`)
	p.create(`{"token_format":"opaque","min_remaining_ttl_seconds":1}`) // reused
	p.verify(p.SecretKey(), token)
	p.verify(p.SecretKey(), "mt_unknown")
	p.verify(p.SecretKey(), p.MintJWT(p.orders.ID))
	p.MintM2M(p.orders.ID)
	if want := (m2mtest.Cost{M2MTokensCreated: 2, OpaqueVerifications: 2}); p.Cost() != want {
		t.Errorf("the cost is %+v, not %+v", p.Cost(), want)
	}
	if usd := p.Cost().USD(); usd != 0.00202 {
		t.Errorf("the cost is %v USD", usd)
	}
}

// The same seed and the same calls give the same ids, secrets, traces and faults; another seed gives others.
func TestSeed(t *testing.T) {
	t.Parallel()
	story := func(opts ...m2mtest.Option) string {
		p := newPair(t, opts...)
		p.Faults(m2mtest.Fault{Operation: "ListMachines", Probability: 0.5, Status: 500})
		var b strings.Builder
		fmt.Fprintln(&b, p.SecretKey(), p.InstanceID(), p.billing.ID, string(p.orders.SecretKey), p.UserID())
		b.Write(p.create(`{}`).raw)
		b.Write(p.create(`{"token_format":"jwt"}`).raw)
		for range 20 {
			fmt.Fprint(&b, p.call(p.SecretKey(), "GET", "/machines", nil).status)
		}
		b.Write(p.create(`{"min_remaining_ttl_seconds":9999}`).raw)
		return b.String()
	}
	one := story(m2mtest.WithSeed(1))
	if again := story(m2mtest.WithSeed(1)); again != one {
		t.Errorf("the same seed gives\n%s\nand then\n%s", one, again)
	}
	for _, other := range []string{story(m2mtest.WithSeed(2)), story()} {
		if line, _, _ := strings.Cut(other, "\n"); strings.HasPrefix(one, line) {
			t.Errorf("another seed gives %s, too", line)
		}
	}
}

// The signing key of a seed is the same in every process. Its digest was recorded.
func TestSeededKey(t *testing.T) {
	t.Parallel()
	b := newBackend(t, m2mtest.WithSeed(1))
	const want = "e072ea72da12db828fae0d8af8150763ca1c5231864dfad81fa057f9caf7aec2"
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(b.JWTKey()))); got != want {
		t.Errorf("the key's digest is %s", got)
	}
	first := b.JWTKey()
	b.RotateKeys()
	if b.JWTKey() == first || newBackend(t, m2mtest.WithSeed(2)).JWTKey() == first {
		t.Error("the key is another's")
	}
}

func TestRotateKeys(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	keys := func() (set jose.JSONWebKeySet) {
		t.Helper()
		decodeInto(t, p.call(p.SecretKey(), "GET", "/jwks", nil).is(200, "").raw, &set)
		return set
	}
	verify := func(token string, status int) {
		t.Helper()
		p.verify(p.SecretKey(), token).is(status, "resource_not_found")
	}
	old, oldPEM := p.MintJWT(p.orders.ID), p.JWTKey()
	p.RotateKeys()
	renewed := p.MintJWT(p.orders.ID)
	if set := keys(); len(set.Keys) != 2 || len(set.Key(p.InstanceID())) != 1 || p.JWTKey() == oldPEM {
		t.Errorf("after RotateKeys the keys are %v", set)
	}
	verify(old, 200)
	verify(renewed, 200)
	p.DropOldKeys()
	if set := keys(); len(set.Keys) != 1 || len(set.Key(p.InstanceID())) != 0 {
		t.Errorf("after DropOldKeys the keys are %v", set)
	}
	verify(old, 404)
	verify(renewed, 200)
	before := p.JWTKey()
	p.RotateKeys()
	if p.JWTKey() == before || p.JWTKey() == oldPEM {
		t.Error("a key came back")
	}
}

// Whatever the signing key is, an independent implementation verifies what it signs, and so does the server.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	ec := func(curve elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{
		jose.ES256: ec(elliptic.P256()), jose.ES384: ec(elliptic.P384()), jose.ES512: ec(elliptic.P521()), jose.EdDSA: ed,
	} {
		p := newPair(t, m2mtest.WithSigningKey(key))
		token := p.create(`{"token_format":"jwt"}`).text("token")
		verified(t, p, token, alg)
		p.verify(string(p.billing.SecretKey), token).is(200, "")
		p.verify(string(p.billing.SecretKey), p.MintJWT(p.orders.ID, m2mtest.ForeignKey())).is(404, "resource_not_found")
	}
	if _, err := m2mtest.New(m2mtest.WithSigningKey(ec(elliptic.P224()))); err == nil {
		t.Error("a key on P-224 is taken")
	}
}

// verified fails the test unless go-jose verifies a token with the served key.
func verified(t *testing.T, p pair, token string, alg jose.SignatureAlgorithm) {
	t.Helper()
	var set jose.JSONWebKeySet
	decodeInto(t, p.call(p.SecretKey(), "GET", "/jwks", nil).is(200, "").raw, &set)
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(set.Keys[0]); err != nil {
		t.Errorf("%s: %v", alg, err)
	}
}

// Algorithms other than the key's own are properly signed, so that only the algorithm is what is wrong.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512} {
		token := p.MintJWT(p.orders.ID, m2mtest.Algorithm(string(alg)))
		signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{alg})
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		block, _ := pem.Decode([]byte(p.JWTKey()))
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(key); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
		signed, err := jose.ParseSignedCompact(p.MintJWT(p.orders.ID, m2mtest.Algorithm(string(alg))), []jose.SignatureAlgorithm{alg})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify([]byte(p.JWTKey())); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA"} {
		if _, err := jose.ParseSignedCompact(p.MintJWT(p.orders.ID, m2mtest.Algorithm(alg)), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)}); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	if token := p.MintJWT(p.orders.ID, m2mtest.Algorithm("none")); !strings.HasSuffix(token, ".") {
		t.Errorf("an unsigned token is %s", token)
	}
}

func TestMintOverrides(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	token := p.MintJWT(p.orders.ID, m2mtest.Header("typ", nil), m2mtest.WithoutHeader("cat"), m2mtest.Header("x", 1),
		m2mtest.Claim("sub", nil), m2mtest.WithoutClaim("jti"), m2mtest.CustomClaims(map[string]any{"tenant": "acme"}), m2mtest.Scopes("a", "b"), m2mtest.NeverExpires())
	header, claims := decoded(t, token)
	if header != fmt.Sprintf(`{"alg":"RS256","kid":%q,"typ":null,"x":1}`, p.InstanceID()) {
		t.Errorf("the header is %s", header)
	}
	if want := fmt.Sprintf(`{"aud":["a","b"],"iat":%d,"iss":%q,"nbf":%d,"scopes":"a b","sub":null,"tenant":"acme"}`, now.Unix(), p.Issuer(), now.Unix()-10); claims != want {
		t.Errorf("the claims are %s, not %s", claims, want)
	}
	if header, claims = decoded(t, p.MintSession("user_x", m2mtest.RawHeader(`{"alg":1,"alg":2}`), m2mtest.RawPayload("null"))); header != `{"alg":1,"alg":2}` || claims != "null" {
		t.Errorf("%s and %s", header, claims)
	}
}

func decoded(t *testing.T, token string) (header, claims string) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	raw := make([]string, 2)
	for i := range raw {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = string(b)
	}
	if err == nil && string(signed.UnsafePayloadWithoutVerification()) != raw[1] {
		t.Error("the payload is another")
	}
	return raw[0], raw[1]
}

// recorder is a TB that keeps what it is told.
type recorder struct{ failed string }

func (*recorder) Helper()        {}
func (*recorder) Cleanup(func()) {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	tb := new(recorder)
	s := m2mtest.NewServer(tb)
	t.Cleanup(func() { _ = s.Close() })
	for name, misuse := range map[string]func(){
		"AddMachine without a name":     func() { s.AddMachine("") },
		"AddMachine with unknown scope": func() { s.AddMachine("x", unknownMachine) },
		"AddScope":                      func() { s.AddScope(unknownMachine, unknownMachine) },
		"MachineSecretKey":              func() { s.MachineSecretKey(unknownMachine) },
		"MintM2M":                       func() { s.MintM2M(unknownMachine) },
		"MintM2M for JWTs":              func() { s.MintM2M(s.Machine().ID, m2mtest.Algorithm("none")) },
		"MintJWT":                       func() { s.MintJWT(unknownMachine, m2mtest.Algorithm("XS256")) },
		"MintAPIKey":                    func() { s.MintAPIKey("someone") },
		"MintOAuth":                     func() { s.MintOAuth("someone") },
		"Faults":                        func() { s.Faults(m2mtest.Fault{Operation: "createM2M"}) },
		"Client":                        func() { s.Client(wrapper.WithBaseURL("http://clerk.example")) },
		"claims":                        func() { s.MintM2M(s.Machine().ID, m2mtest.CustomClaims(map[string]any{"f": func() {}})) },
	} {
		tb.failed = ""
		done := make(chan struct{})
		go func() {
			defer close(done)
			misuse()
		}()
		<-done
		if tb.failed == "" || strings.Contains(tb.failed, "hunter2") {
			t.Errorf("%s: %q", name, tb.failed)
		}
	}
	// What failed has let go of the lock.
	s.AddMachine("fine")

	bare, err := m2mtest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("without a test, misuse does not panic")
		}
	}()
	bare.Client() // does not listen
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for i, opt := range []m2mtest.Option{
		nil, m2mtest.WithClock(nil), m2mtest.WithRateLimit(0, time.Second), m2mtest.WithRateLimit(1, 0),
		m2mtest.WithSigningKey(nil), m2mtest.WithCallHook(nil), m2mtest.WithSecretKey("hunter2"),
	} {
		if _, err := m2mtest.New(opt); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("option %d: %v", i, err)
		}
	}
	b := newBackend(t, m2mtest.WithSecretKey("sk_test_mine"))
	b.call("sk_test_mine", "GET", "/machines", nil).is(200, "")
}

func TestNothingPrintsACredential(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	m := b.AddMachine("m")
	token, key, oauth := b.MintM2M(m.ID), b.MintAPIKey(b.UserID()), b.MintOAuth(b.UserID())
	b.rawCall(b.SecretKey(), "GET", "/v1/jwks", nil)
	var log bytes.Buffer
	for _, v := range []any{b.Server, b.Calls(), m, token, key, oauth} {
		fmt.Fprintf(&log, "%v %+v %#v %s %q %d", v, v, v, v, v, v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", fmt.Sprint(v))
	}
	for _, secret := range []string{b.SecretKey(), string(m.SecretKey), string(token.Token), string(key.Secret), string(oauth.Token)} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%.6s... is printed", secret)
		}
	}
	if s := fmt.Sprintf("%+v", b.Server); s != "m2mtest.Server("+b.URL()+")" {
		t.Errorf("a server prints as %s", s)
	}
	if encoded, err := json.Marshal(map[string]any{"server": b.Server}); err != nil || string(encoded) != `{"server":{}}` {
		t.Errorf("as JSON a server is %s, %v", encoded, err)
	}
}

func TestClients(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	token, err := p.MachineClient(p.orders.ID).M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.MachineClient(p.billing.ID).M2MTokens.Verify(t.Context(), string(token.Token)); err != nil || got.Subject != p.orders.ID {
		t.Errorf("%+v, %v", got, err)
	}
	client := p.Client()
	if own, err := client.M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{}); err != nil || own.Subject != p.Machine().ID {
		t.Errorf("%+v, %v", own, err)
	}
	if list, err := client.Machines.List(t.Context(), wrapper.ListMachinesParams{}); err != nil || list.TotalCount != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := p.MachineClient(p.orders.ID).Machines.List(t.Context(), wrapper.ListMachinesParams{}); err == nil {
		t.Error("a machine's client has the instance's key")
	}
}

func TestStartAndClose(t *testing.T) {
	t.Parallel()
	s, err := m2mtest.New()
	if err != nil {
		t.Fatal(err)
	}
	if s.URL() != "" {
		t.Errorf("before Start the URL is %q", s.URL())
	}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := s.Start("127.0.0.1:0"); err == nil {
		t.Error("it starts twice")
	}
	url := s.URL()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if resp, err := http.Get(url + "/v1/jwks"); err == nil {
		resp.Body.Close()
		t.Error("it answers after Close")
	}
	if err := s.Start("127.0.0.1:0"); err == nil {
		t.Error("it starts after Close")
	}
	other, err := m2mtest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Start("256.0.0.1:0"); err == nil {
		t.Error("it listens nowhere")
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	before := b.Machine()
	err := b.Load(strings.NewReader(`{
		"secret_key": "sk_test_loaded",
		"machines": [
			{"name": "orders", "scopes": ["billing", "default"], "default_token_ttl": 60},
			{"name": "billing", "id": "` + unknownMachine + `", "secret_key": "ak_billing"},
			{"name": "default", "secret_key": "ak_default", "scopes": ["` + unknownMachine + `"]}
		],
		"api_keys": [{"name": "deploy", "subject": "user_2xhFjEI5X2qWRvtV13BzSj8H6Dk", "secret": "ak_deploy", "scopes": ["read"], "claims": {"a": 1}}]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	if m := b.Machine(); m.ID != before.ID || m.SecretKey != "ak_default" || b.SecretKey() != "sk_test_loaded" {
		t.Errorf("the default machine is %s", m.ID)
	}
	b.call("ak_default", "POST", "/m2m_tokens", `{}`).is(201, "").has(before.ID, "subject").has([]string{unknownMachine}, "scopes")
	b.call("ak_billing", "POST", "/m2m_tokens", `{}`).is(201, "").has(unknownMachine, "subject")
	b.call("sk_test_loaded", "GET", "/machines"+query("query", "orders"), nil).is(200, "").has(60, "data", 0, "default_token_ttl").
		has(unknownMachine, "data", 0, "scoped_machines", 0, "id").has(before.ID, "data", 0, "scoped_machines", 1, "id")
	b.call("sk_test_loaded", "POST", "/api_keys/verify", `{"secret":"ak_deploy"}`).is(200, "").has([]string{"read"}, "scopes").has(map[string]any{"a": 1}, "claims")

	for _, broken := range []string{
		``, `[]`, `{"colour":"red"}`, `{"secret_key":"hunter2"}`,
		`{"machines":[{}]}`, `{"machines":[{"name":"a"},{"name":"a"}]}`, `{"machines":[{"name":"a","id":"hunter2"}]}`,
		`{"machines":[{"name":"a","secret_key":"hunter2"}]}`, `{"machines":[{"name":"a","secret_key":"ak_1"},{"name":"b","secret_key":"ak_1"}]}`,
		`{"machines":[{"name":"a","scopes":["nobody"]}]}`, `{"machines":[{"name":"a","default_token_ttl":-1}]}`,
		`{"machines":[{"name":"a","id":"` + unknownMachine + `"}]}`,
		`{"api_keys":[{"name":"deploy","subject":"hunter2"}]}`, `{"api_keys":[{"name":"d","subject":"user_2xhFjEI5X2qWRvtV13BzSj8H6Dk"}]}`,
		`{"api_keys":[{"name":"deploy","subject":"user_2xhFjEI5X2qWRvtV13BzSj8H6Dk","secret":"hunter2"}]}`,
		`{"api_keys":[{"name":"deploy","subject":"user_2xhFjEI5X2qWRvtV13BzSj8H6Dk","claims":[]}]}`,
	} {
		if err := b.Load(strings.NewReader(broken)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", broken, err)
		}
	}
	b.call("sk_test_loaded", "GET", "/machines", nil).is(200, "").has(3, "total_count")
}

// Many callers at once: run with -race.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	patient := wrapper.WithAttemptTimeout(time.Minute) // each rotation makes an RSA key
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			client := p.MachineClient(p.orders.ID, patient)
			for range 5 {
				token, err := client.M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := p.MachineClient(p.billing.ID, patient).M2MTokens.Verify(t.Context(), string(token.Token)); err != nil {
					t.Error(err)
				}
				p.MintJWT(p.orders.ID)
				p.Advance(time.Millisecond)
				p.Faults(m2mtest.Fault{Operation: "GetJWKS", Status: 500})
				_, _, _ = p.Calls(), p.Cost(), p.JWTKey()
				p.RotateKeys()
				p.DropOldKeys()
				p.ClearFaults()
			}
		})
	}
	wg.Wait()
	if got := p.Cost().M2MTokensCreated; got != 40 {
		t.Errorf("%d tokens were created", got)
	}
}

// A Server is an http.Handler that needs no socket.
func TestHandler(t *testing.T) {
	t.Parallel()
	s, err := m2mtest.New()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/v1/jwks", nil)
	r.Header.Set("Authorization", "Bearer "+s.SecretKey())
	s.ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"keys"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
