package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the digests of the algorithms below
	_ "crypto/sha512"
	"errors"
	"fmt"
	"math/big"
)

// The signature algorithms that exist here (RFC 7518 section 3.1, RFC 8037). Whatever else a header
// says, "none" and HS256 among it, is no algorithm.
var algorithms = map[string]algorithm{
	"RS256": {hash: crypto.SHA256},
	"RS384": {hash: crypto.SHA384},
	"RS512": {hash: crypto.SHA512},
	"ES256": {hash: crypto.SHA256, curve: elliptic.P256()},
	"ES384": {hash: crypto.SHA384, curve: elliptic.P384()},
	"ES512": {hash: crypto.SHA512, curve: elliptic.P521()},
	"EdDSA": {},
}

type algorithm struct {
	hash  crypto.Hash
	curve elliptic.Curve
}

func supportedAlgorithm(alg string) bool {
	_, ok := algorithms[alg]
	return ok
}

const (
	minRSABits = 2048 // RFC 7518 section 3.3
	maxRSABits = 8192 // beyond it one verification takes milliseconds
)

// publicKey is a key and the one algorithm that it verifies (RFC 8725 section 3.1).
type publicKey struct {
	id  string
	alg string
	key crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// newPublicKey pins key to alg, or to the default algorithm of its kind when alg is "".
func newPublicKey(id, alg string, key crypto.PublicKey) (*publicKey, error) {
	fits := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("an RSA key must have %d to %d bits, this one has %d", minRSABits, maxRSABits, bits)
		}
		if k.E < 3 || k.E&1 == 0 || k.N.Bit(0) == 0 {
			return nil, errors.New("the RSA key's modulus or exponent cannot be one")
		}
		if alg == "" {
			alg = "RS256"
		}
		fits = alg == "RS256" || alg == "RS384" || alg == "RS512"
	case *ecdsa.PublicKey:
		own := map[elliptic.Curve]string{elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512"}[k.Curve]
		if own == "" {
			return nil, errors.New("an EC key must be on P-256, P-384 or P-521")
		}
		if alg == "" {
			alg = own
		}
		fits = alg == own
	case ed25519.PublicKey:
		if alg == "" {
			alg = "EdDSA"
		}
		fits = alg == "EdDSA" && len(k) == ed25519.PublicKeySize
	default:
		return nil, fmt.Errorf("a key must be RSA, EC or Ed25519, this one is %T", key)
	}
	if !fits {
		return nil, fmt.Errorf("the key cannot verify %q", alg)
	}
	return &publicKey{id: id, alg: alg, key: key}, nil
}

// verify checks the signature of a JWT whose alg is the key's.
func (k *publicKey) verify(signed string, signature []byte) bool {
	message := []byte(signed)
	if key, ok := k.key.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, message, signature)
	}
	hash := algorithms[k.alg].hash
	h := hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	case *ecdsa.PublicKey: // r and s, each as long as the curve's order (RFC 7518 section 3.4)
		size := (key.Curve.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(key, digest, r, s)
	}
	return false
}

// same reports whether o is the same key for the same use.
func (k *publicKey) same(o *publicKey) bool {
	if o == nil || k.id != o.id || k.alg != o.alg {
		return false
	}
	key, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(o.key)
}
