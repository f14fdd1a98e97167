package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer  = "https://clerk.bench.example.com"
	keyID   = "ins_2GIoQhbUpy0hX7B2cVkuTMinXoD"
	caller  = "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"
	callee  = "mch_2yGkLpQ7Y3rXSwtU24CzTk9I7Em"
	m2mCat  = "cl_B7d4PD333AAA"
	nowhere = "http://127.0.0.1:1" // no verification may need the network
)

// signer is a key pair and what verifiers need of it.
type signer struct {
	method  jwt.SigningMethod
	private crypto.Signer
	pem     string
	jwks    json.RawMessage
}

func newSigner(alg string) (*signer, error) {
	s := &signer{method: jwt.GetSigningMethod(alg)}
	var err error
	jwk := map[string]string{"kid": keyID, "alg": alg, "use": "sig"}
	b64 := base64.RawURLEncoding.EncodeToString
	switch alg {
	case "RS256":
		var k *rsa.PrivateKey
		if k, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
		s.private = k
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", b64(k.N.Bytes()), "AQAB"
	case "ES256":
		var k *ecdsa.PrivateKey
		if k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
		s.private = k
		point, err := k.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
	case "EdDSA":
		var pub ed25519.PublicKey
		var k ed25519.PrivateKey
		if pub, k, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return nil, err
		}
		s.private = k
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", b64(pub)
	default:
		return nil, fmt.Errorf("no key for %s", alg)
	}
	der, err := x509.MarshalPKIXPublicKey(s.private.Public())
	if err != nil {
		return nil, err
	}
	s.pem = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	s.jwks, err = json.Marshal(map[string]any{"keys": []any{jwk}})
	return s, err
}

// claims are those of an M2M JWT as Clerk mints one.
func claims(n int) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{
		"iss": issuer, "sub": caller, "jti": fmt.Sprintf("mt_%032x", n), "iat": now.Unix(), "nbf": now.Add(-10 * time.Second).Unix(),
		"exp": now.Add(time.Hour).Unix(), "scopes": callee, "aud": []string{callee},
	}
}

func (s *signer) sign(header map[string]any, c jwt.MapClaims) (string, error) {
	t := jwt.NewWithClaims(s.method, c)
	t.Header["kid"], t.Header["cat"] = keyID, m2mCat
	for name, v := range header {
		t.Header[name] = v
	}
	return t.SignedString(s.private)
}
