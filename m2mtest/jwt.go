package m2mtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the algorithms
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// The categories (cat in the header) by which Clerk tells its JWTs apart.
const (
	categoryM2M     = "cl_B7d4PD333AAA"
	categorySession = "cl_B7d4PD111AAA"
)

// hashes are those of the algorithms' names (RFC 7518, section 3.1).
var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// signJWT makes a JWT (RFC 7515, section 7.1) of a header and a payload as they are.
func signJWT(alg string, signer crypto.Signer, header, payload []byte) (string, error) {
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := signature(alg, signer, []byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func signature(alg string, signer crypto.Signer, input []byte) ([]byte, error) {
	switch alg {
	case "none":
		return nil, nil
	case "EdDSA":
		return signer.Sign(rand.Reader, input, crypto.Hash(0))
	}
	family, hash := alg[:min(2, len(alg))], hashes[alg[min(2, len(alg)):]]
	if hash == 0 {
		return nil, fmt.Errorf("there is no algorithm %q here", alg)
	}
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch family {
	case "RS":
		return signer.Sign(rand.Reader, digest, hash)
	case "PS":
		return signer.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	case "ES":
		der, err := signer.Sign(rand.Reader, digest, hash)
		if err != nil {
			return nil, err
		}
		return fixedECSignature(der, signer.Public().(*ecdsa.PublicKey))
	case "HS":
		// The attack on verifiers that take the public key for a shared secret.
		mac := hmac.New(hash.New, []byte(publicPEM(signer.Public())))
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	return nil, fmt.Errorf("there is no algorithm %q here", alg)
}

// fixedECSignature turns an ASN.1 signature into that of RFC 7518, section 3.4.
func fixedECSignature(der []byte, key *ecdsa.PublicKey) ([]byte, error) {
	var parts struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return nil, err
	}
	size := (key.Params().BitSize + 7) / 8
	fixed := make([]byte, 2*size)
	parts.R.FillBytes(fixed[:size])
	parts.S.FillBytes(fixed[size:])
	return fixed, nil
}

var errBadJWT = errors.New("the JWT does not verify")

// jwtClaims are the claims of a JWT by their exact names, and the header members that tell its kind.
type jwtClaims struct {
	all      map[string]json.RawMessage
	typ, cat string
}

// text gives a claim that is a string, or "".
func (c *jwtClaims) text(name string) string {
	var s string
	_ = json.Unmarshal(c.all[name], &s) // "" unless it is one
	return s
}

// time gives a claim that is a NumericDate (RFC 7519, section 2).
func (c *jwtClaims) time(name string) (t time.Time, ok bool) {
	var seconds float64
	if c.all[name] == nil || json.Unmarshal(c.all[name], &seconds) != nil || seconds > 1e12 || seconds < -1e12 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// verifyJWT checks the signature of a JWT, and reads it. Its times are not checked.
func (k keys) verifyJWT(token string) (*jwtClaims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errBadJWT
	}
	var raw [3][]byte
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return nil, errBadJWT
		}
		raw[i] = decoded
	}
	var header, claims jwtClaims
	if json.Unmarshal(raw[0], &header.all) != nil || json.Unmarshal(raw[1], &claims.all) != nil {
		return nil, errBadJWT
	}
	key := k.find(header.text("kid"))
	if key == nil || header.all["crit"] != nil || must(algorithmOf(key)) != header.text("alg") {
		return nil, errBadJWT
	}
	if !verifySignature(header.text("alg"), key, []byte(parts[0]+"."+parts[1]), raw[2]) {
		return nil, errBadJWT
	}
	claims.typ, claims.cat = header.text("typ"), header.text("cat")
	return &claims, nil
}

func verifySignature(alg string, key crypto.PublicKey, input, signature []byte) bool {
	if key, ok := key.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, input, signature)
	}
	hash := hashes[alg[2:]]
	h := hash.New()
	h.Write(input)
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), signature) == nil
	case *ecdsa.PublicKey:
		size := (key.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(key, h.Sum(nil), r, s)
	}
	return false
}

// begun tells whether nbf and iat have passed, where there are any.
func (c *jwtClaims) begun(now time.Time) bool {
	for _, name := range []string{"nbf", "iat"} {
		if c.all[name] == nil {
			continue
		}
		if t, ok := c.time(name); !ok || now.Before(t) {
			return false
		}
	}
	return true
}

// life gives the times of the claims. A JWT without exp has none.
func (c *jwtClaims) life() (l life, ok bool) {
	l.expires, ok = c.time("exp")
	l.created, _ = c.time("iat")
	l.updated = l.created
	return l, ok
}
