package authn_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// What the tests' instance has.
const (
	machineA = "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"
	machineB = "mch_2yGkLpQ7Y3rXSwtU24CzTk9I7Em"
	issuer   = "https://clerk.app.example.com"

	m2mHeader     = `{"alg":"RS256","kid":"ins_1","typ":"JWT","cat":"cl_B7d4PD333AAA"}`
	sessionHeader = `{"alg":"RS256","kid":"ins_1","typ":"JWT","cat":"cl_B7d4PD111AAA"}`
	oauthHeader   = `{"alg":"RS256","kid":"ins_1","typ":"at+jwt"}`
)

var encode = func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// m2mClaims is the payload of an M2M JWT as Clerk makes it; more is members to add, with a leading comma.
func m2mClaims(now time.Time, more string) string {
	return fmt.Sprintf(`{"iss":%q,"sub":%q,"jti":"mt_f7f0ba8c3b4843ce7d85fcdd5e71853e","iat":%d,"nbf":%d,"exp":%d,"scopes":%q%s}`,
		issuer, machineA, now.Unix()-60, now.Unix()-70, now.Unix()+3600, machineB+" mch_2zAbCdEf0123456789ABCDEFGHI", more)
}

func sessionClaims(now time.Time, more string) string {
	return fmt.Sprintf(`{"iss":%q,"sub":"user_2x","sid":"sess_2x","iat":%d,"nbf":%d,"exp":%d%s}`,
		issuer, now.Unix()-30, now.Unix()-40, now.Unix()+60, more)
}

func oauthClaims(now time.Time, more string) string {
	return fmt.Sprintf(`{"iss":%q,"sub":"user_2x","client_id":"client_2x","jti":"oat_1","iat":%d,"exp":%d%s}`,
		issuer, now.Unix()-30, now.Unix()+3600, more)
}

// sign makes a JWT of any header and payload text, signed as alg says.
func sign(t testing.TB, key crypto.Signer, alg, header, payload string) string {
	t.Helper()
	signed := encode(header) + "." + encode(payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature(t, key, alg, signed))
}

func signature(t testing.TB, key crypto.Signer, alg, signed string) []byte {
	t.Helper()
	hash := map[string]crypto.Hash{
		"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512,
		"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512,
	}[alg]
	digest := []byte(signed)
	if hash != 0 {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	var out []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		out, err = rsa.SignPKCS1v15(rand.Reader, key, hash, digest)
	case *ecdsa.PrivateKey:
		size := (key.Curve.Params().BitSize + 7) / 8
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, key, digest); err == nil {
			out = make([]byte, 2*size)
			r.FillBytes(out[:size])
			s.FillBytes(out[size:])
		}
	case ed25519.PrivateKey:
		out = ed25519.Sign(key, digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func publicPEM(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// jwk is the public half of key under an id.
func jwk(id string, key crypto.Signer) json.RawMessage {
	b64 := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	m := map[string]string{"kid": id, "use": "sig"}
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		m["kty"], m["alg"], m["n"], m["e"] = "RSA", "RS256", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		size := (k.Curve.Params().BitSize + 7) / 8
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		m["kty"], m["crv"] = "EC", k.Curve.Params().Name
		m["x"], m["y"] = b64(point[1:1+size]), b64(point[1+size:])
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(k)
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return out
}

func jwks(keys ...json.RawMessage) []byte {
	out, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return out
}

// newPEM is an Authenticator that verifies JWTs with key and has credentials for every token type.
func newPEM(t testing.TB, key crypto.PublicKey, opts ...authn.Option) *authn.Authenticator {
	t.Helper()
	return newAuthenticator(t, newClient(t, "http://127.0.0.1:1"),
		append([]authn.Option{authn.WithJWTKey(publicPEM(t, key))}, opts...)...)
}

func newClient(t testing.TB, url string) *wrapper.Client {
	t.Helper()
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL(url), wrapper.WithMaxRetries(0),
		wrapper.WithSecretKey("sk_test_instance"), wrapper.WithMachineSecretKey("ak_machine"))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func newAuthenticator(t testing.TB, client *wrapper.Client, opts ...authn.Option) *authn.Authenticator {
	t.Helper()
	a, err := authn.New(client, append([]authn.Option{authn.WithLogger(nil)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}
