package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// maxKeys bounds a key set. An instance has one key, and two while it is replaced.
const maxKeys = 64

// parseJWKS reads a JSON Web Key Set (RFC 7517 section 5) into keys by id. A key that is not for
// verifying one of our algorithms is skipped alone; of keys with the same id the first counts, and
// one without an id could never be asked for.
func parseJWKS(text []byte) (map[string]*publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errors.New("the reply is no JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, more than the %d that are read", len(set.Keys), maxKeys)
	}
	keys := make(map[string]*publicKey, len(set.Keys))
	for _, raw := range set.Keys {
		key, err := parseJWK(raw)
		if err != nil || key.id == "" || keys[key.id] != nil {
			continue
		}
		keys[key.id] = key
	}
	return keys, nil
}

// parseJWK reads one public key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
func parseJWK(text []byte) (*publicKey, error) {
	var k struct {
		Kty    string   `json:"kty"`
		Kid    string   `json:"kid"`
		Alg    string   `json:"alg"`
		Use    string   `json:"use"`
		KeyOps []string `json:"key_ops"`
		Crv    string   `json:"crv"`
		N      string   `json:"n"`
		E      string   `json:"e"`
		X      string   `json:"x"`
		Y      string   `json:"y"`
	}
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, errors.New("it is not a JWK")
	}
	if k.Use != "" && k.Use != "sig" || len(k.KeyOps) > 0 && !slices.Contains(k.KeyOps, "verify") {
		return nil, errors.New("the key is not for signatures")
	}
	var key crypto.PublicKey
	var err error
	switch k.Kty {
	case "RSA":
		key, err = rsaKey(k.N, k.E)
	case "EC":
		key, err = ecKey(k.Crv, k.X, k.Y)
	case "OKP":
		key, err = edKey(k.Crv, k.X)
	default:
		err = fmt.Errorf("unsupported kty %q", k.Kty)
	}
	if err != nil {
		return nil, err
	}
	return newPublicKey(k.Kid, k.Alg, key)
}

func rsaKey(n, e string) (*rsa.PublicKey, error) {
	modulus, err1 := keyBytes(n)
	exponent, err2 := keyBytes(e)
	if err1 != nil || err2 != nil || len(exponent) > 4 || len(modulus) > maxRSABits/8+1 {
		return nil, errors.New("n or e of the RSA key cannot be one")
	}
	exp := new(big.Int).SetBytes(exponent).Int64()
	if exp > 1<<31-1 {
		return nil, errors.New("e of the RSA key is too large")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(exp)}, nil
}

func ecKey(crv, x, y string) (*ecdsa.PublicKey, error) {
	alg, ok := map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[crv]
	if !ok {
		return nil, fmt.Errorf("unsupported crv %q", crv)
	}
	curve := algorithms[alg].curve
	size := (curve.Params().BitSize + 7) / 8
	px, err1 := keyBytes(x)
	py, err2 := keyBytes(y)
	if err1 != nil || err2 != nil || len(px) != size || len(py) != size {
		return nil, errors.New("x or y of the EC key cannot be one")
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, px, py)) // refuses a point off the curve
}

func edKey(crv, x string) (ed25519.PublicKey, error) {
	key, err := keyBytes(x)
	if crv != "Ed25519" || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("the OKP key is no Ed25519 key")
	}
	return key, nil
}

func keyBytes(s string) ([]byte, error) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("not base64url")
	}
	return base64URL.DecodeString(s)
}
