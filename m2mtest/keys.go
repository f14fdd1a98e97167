package m2mtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"sync"

	"github.com/m2mauth/clerk-m2m/generated"
)

// signingKey is a private key and its id. RSA keys take a while to make, so none is made before it is needed.
type signingKey struct {
	kid    string
	signer func() crypto.Signer
}

// keys are the signing keys of an instance, the current one first.
type keys []signingKey

// public gives the key set as the API serves it.
func (k keys) public() generated.JWKS {
	set := generated.JWKS{Keys: []generated.JWK{}}
	for _, key := range k {
		set.Keys = append(set.Keys, jwk(key.kid, key.signer().Public()))
	}
	return set
}

// find gives the public key of an id.
func (k keys) find(kid string) crypto.PublicKey {
	for _, key := range k {
		if key.kid == kid {
			return key.signer().Public()
		}
	}
	return nil
}

// JWTKey gives the public half of the current signing key as PEM, as CLERK_JWT_KEY holds it.
func (s *Server) JWTKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return publicPEM(s.keys[0].signer().Public())
}

// RotateKeys makes a new signing key, with a new kid. The keys before stay in the key set until [Server.DropOldKeys].
func (s *Server) RotateKeys() {
	s.mu.Lock()
	defer s.mu.Unlock()
	generation := len(s.keys) + s.dropped
	s.keys = append(keys{{kid: s.ids.id("ins_"), signer: s.rsaKey(generation)}}, s.keys...)
}

// DropOldKeys leaves only the current signing key in the key set.
func (s *Server) DropOldKeys() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped += len(s.keys) - 1
	s.keys = s.keys[:1]
}

// poolKey names an RSA key of the process.
type poolKey struct {
	seeded     bool
	seed       uint64
	generation int
}

// pool holds the RSA keys of the process by poolKey: making one takes about as long as a whole test.
var pool sync.Map

func (s *Server) rsaKey(generation int) func() crypto.Signer {
	id, generate := poolKey{generation: generation}, newRSAKey
	if s.seed != nil {
		id.seeded, id.seed = true, *s.seed
		generate = func() crypto.Signer { return seededRSAKey(id.seed, generation) }
	}
	once, _ := pool.LoadOrStore(id, sync.OnceValue(generate))
	return once.(func() crypto.Signer)
}

func newRSAKey() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return must(key, err)
}

// seededRSAKey makes the same key for the same seed, which crypto/rsa does not. It protects nothing.
func seededRSAKey(seed uint64, generation int) crypto.Signer {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(generation))
	key[31] = 1 // not a stream of ids
	source := mathrand.NewChaCha8(key)
	one, e := big.NewInt(1), big.NewInt(65537)
	prime := func() (p, less *big.Int) {
		b := make([]byte, 128)
		for {
			_, _ = source.Read(b)              // never fails
			b[0], b[127] = b[0]|0xc0, b[127]|1 // odd, and so large that the product has 2048 bits
			p = new(big.Int).SetBytes(b)
			less = new(big.Int).Sub(p, one)
			if new(big.Int).GCD(nil, nil, less, e).Cmp(one) == 0 && p.ProbablyPrime(20) {
				return p, less
			}
		}
	}
	p, lessP := prime()
	q, lessQ := prime()
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(e, new(big.Int).Mul(lessP, lessQ)),
		Primes:    []*big.Int{p, q},
	}
	k.Precompute()
	return must(k, k.Validate())
}

func (s *Server) firstSigner() crypto.Signer {
	if s.signer != nil {
		return s.signer
	}
	return s.rsaKey(0)()
}

// Keys that no instance has, for tokens that must not verify.
var (
	foreignRSA     = sync.OnceValue(newRSAKey)
	foreignP256    = sync.OnceValue(func() crypto.Signer { return newECKey(elliptic.P256()) })
	foreignP384    = sync.OnceValue(func() crypto.Signer { return newECKey(elliptic.P384()) })
	foreignP521    = sync.OnceValue(func() crypto.Signer { return newECKey(elliptic.P521()) })
	foreignEd25519 = sync.OnceValue(func() crypto.Signer {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
)

func newECKey(curve elliptic.Curve) crypto.Signer {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	return must(key, err)
}

// must is for what cannot fail with a working source of randomness and keys that were checked.
func must[T any](v T, err error) T {
	if err != nil {
		panic("m2mtest: " + err.Error())
	}
	return v
}

func publicPEM(key crypto.PublicKey) string {
	der := must(x509.MarshalPKIXPublicKey(key))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// algorithmOf gives the one algorithm (RFC 7518) that a key is used with here.
func algorithmOf(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return "ES256", nil
		case elliptic.P384():
			return "ES384", nil
		case elliptic.P521():
			return "ES512", nil
		}
	case ed25519.PublicKey:
		return "EdDSA", nil
	}
	return "", fmt.Errorf("m2mtest: a signing key is RSA, ECDSA on P-256, P-384 or P-521, or Ed25519, not %T", key)
}

// jwk gives a public key as RFC 7517 has it.
func jwk(kid string, key crypto.PublicKey) generated.JWK {
	b64 := func(b []byte) *string {
		text := base64.RawURLEncoding.EncodeToString(b)
		return &text
	}
	k := generated.JWK{Kid: kid, Alg: must(algorithmOf(key)), Use: "sig"}
	switch key := key.(type) {
	case *rsa.PublicKey:
		k.Kty, k.N, k.E = "RSA", b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(key.Bytes())[1:] // 4, then both coordinates at full length (SEC 1, section 2.3.3)
		curve := key.Params().Name
		k.Kty, k.Crv, k.X, k.Y = "EC", &curve, b64(point[:len(point)/2]), b64(point[len(point)/2:])
	case ed25519.PublicKey:
		curve := "Ed25519"
		k.Kty, k.Crv, k.X = "OKP", &curve, b64(key)
	}
	return k
}
