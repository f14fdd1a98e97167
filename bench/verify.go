package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/clerk/clerk-sdk-go/v2"
	clerkjwt "github.com/clerk/clerk-sdk-go/v2/jwt"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

const skew = 5 * time.Second

var errNotSignedIn = errors.New("not signed in")

// authenticator makes one that verifies JWTs with the signer's key.
func authenticator(s *signer, opts ...authn.Option) (*authn.Authenticator, error) {
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL(nowhere), wrapper.WithMachineSecretKey("ak_bench"))
	if err != nil {
		return nil, err
	}
	return authn.New(client, append([]authn.Option{authn.WithJWTKey(s.pem)}, opts...)...)
}

func signedIn(state *authn.State, err error) error {
	if err != nil {
		return err
	}
	if state.Status != authn.SignedIn {
		return fmt.Errorf("%w: %s", errNotSignedIn, state.Message)
	}
	return nil
}

// bareCheck is the limit: the signature alone, with the parts already cut and decoded.
func bareCheck(s *signer, token string) (func() error, error) {
	dot := strings.LastIndexByte(token, '.')
	signed := []byte(token[:dot])
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		return nil, err
	}
	bad := errors.New("bad signature")
	switch key := s.private.Public().(type) {
	case *rsa.PublicKey:
		return func() error {
			sum := sha256.Sum256(signed)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig)
		}, nil
	case *ecdsa.PublicKey:
		return func() error {
			sum := sha256.Sum256(signed)
			if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
				return bad
			}
			return nil
		}, nil
	case ed25519.PublicKey:
		return func() error {
			if !ed25519.Verify(key, signed, sig) {
				return bad
			}
			return nil
		}, nil
	}
	return nil, errors.New("no such key")
}

// verifySection is the cold verification of one JWT, the key in memory, against the peers. Each checks the signature
// with a pinned algorithm, exp, nbf and iat or as much of that as it can.
func verifySection(alg string) (section, error) {
	s, err := newSigner(alg)
	if err != nil {
		return section{}, err
	}
	token, err := s.sign(nil, claims(1))
	if err != nil {
		return section{}, err
	}
	cold, err := authenticator(s, authn.WithTokenCache(authn.TokenCache{Size: -1}))
	if err != nil {
		return section{}, err
	}
	ctx := context.Background()
	req, err := http.NewRequest(http.MethodGet, "https://callee.example.com/", nil)
	if err != nil {
		return section{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	bare, err := bareCheck(s, token)
	if err != nil {
		return section{}, err
	}
	contenders := []contender{
		{"limit: the bare signature check", bare},
		{"authn.AuthenticateToken", func() error { return signedIn(cold.AuthenticateToken(ctx, token, authn.M2MToken)) }},
		{"authn.AuthenticateRequest", func() error { return signedIn(cold.AuthenticateRequest(req, authn.M2MToken)) }},
	}
	peers, err := verifyPeers(s, alg, token)
	if err != nil {
		return section{}, err
	}
	return compare("Cold verification of one M2M JWT, "+alg, "The key is in memory, no token is remembered.", append(contenders, peers...)...)
}

func verifyPeers(s *signer, alg, token string) ([]contender, error) {
	ctx := context.Background()
	public := s.private.Public()
	parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithLeeway(skew), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	keys, err := keyfunc.NewJWKSetJSON(s.jwks)
	if err != nil {
		return nil, err
	}
	set, err := jwk.Parse(s.jwks)
	if err != nil {
		return nil, err
	}
	oidcVerifier := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{public}},
		&oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: []string{alg}})
	auth0, err := validator.New(
		validator.WithKeyFunc(func(context.Context) (any, error) { return set, nil }),
		validator.WithAlgorithm(validator.SignatureAlgorithm(alg)), validator.WithIssuer(issuer),
		validator.WithAudience(callee), validator.WithAllowedClockSkew(skew))
	if err != nil {
		return nil, err
	}
	peers := []contender{
		{"golang-jwt v5", func() error {
			_, err := parser.ParseWithClaims(token, jwt.MapClaims{}, func(*jwt.Token) (any, error) { return public, nil })
			return err
		}},
		{"keyfunc v3", func() error {
			_, err := parser.ParseWithClaims(token, jwt.MapClaims{}, keys.Keyfunc)
			return err
		}},
		{"go-jose v4", func() error {
			t, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				return err
			}
			var std josejwt.Claims
			var all map[string]any
			if err := t.Claims(public, &std, &all); err != nil {
				return err
			}
			return std.ValidateWithLeeway(josejwt.Expected{Time: time.Now()}, skew)
		}},
		{"jwx v3", func() error {
			_, err := jwxjwt.Parse([]byte(token), jwxjwt.WithKeySet(set), jwxjwt.WithAcceptableSkew(skew))
			return err
		}},
		{"go-oidc v3", func() error {
			_, err := oidcVerifier.Verify(ctx, token)
			return err
		}},
		{"auth0 go-jwt-middleware v3", func() error {
			_, err := auth0.ValidateToken(ctx, token)
			return err
		}},
	}
	if alg != "RS256" {
		return peers, nil // clerk-sdk-go reads PEM keys of RSA only
	}
	clerkKey, err := clerk.JSONWebKeyFromPEM(s.pem)
	if err != nil {
		return nil, err
	}
	return append(peers, contender{"clerk-sdk-go v2.7.0", func() error {
		_, err := clerkjwt.Verify(ctx, &clerkjwt.VerifyParams{Token: token, JWK: clerkKey, Leeway: skew})
		return err
	}}), nil
}

// rememberedSections measure a token that was verified before, among 1, 1,000 and 100,000 of them, on 1 and 2 CPUs,
// and what remembering one costs in memory.
func rememberedSections() ([]section, error) {
	s, err := newSigner("EdDSA") // the memory is of the same size, and 100,000 are signed sooner
	if err != nil {
		return nil, err
	}
	rsaSigner, err := newSigner("RS256")
	if err != nil {
		return nil, err
	}
	first, err := rsaSigner.sign(nil, claims(0))
	if err != nil {
		return nil, err
	}
	cold, err := authenticator(rsaSigner, authn.WithTokenCache(authn.TokenCache{Size: -1}))
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	var sections []section
	for _, distinct := range []int{1, 1000, 100_000} {
		a, err := authenticator(s, authn.WithTokenCache(authn.TokenCache{Size: 2 * distinct}))
		if err != nil {
			return nil, err
		}
		tokens := make([]string, distinct)
		for i := range tokens {
			if tokens[i], err = s.sign(nil, claims(i)); err != nil {
				return nil, err
			}
		}
		before := heap()
		for _, t := range tokens {
			if err := signedIn(a.AuthenticateToken(ctx, t, authn.M2MToken)); err != nil {
				return nil, err
			}
		}
		perToken := float64(heap()-before) / float64(distinct)
		for _, cpus := range []int{1, 2} {
			old := runtime.GOMAXPROCS(cpus)
			sec, err := compareParallel(fmt.Sprintf("Remembered token, %d distinct, GOMAXPROCS %d", distinct, cpus),
				note(distinct, perToken), cpus,
				contender{"cold, RS256", func() error { return signedIn(cold.AuthenticateToken(ctx, first, authn.M2MToken)) }},
				contender{"remembered", func() error {
					return signedIn(a.AuthenticateToken(ctx, tokens[rand.IntN(distinct)], authn.M2MToken))
				}})
			runtime.GOMAXPROCS(old)
			if err != nil {
				return nil, err
			}
			sections = append(sections, sec)
		}
		if err := a.Close(); err != nil {
			return nil, err
		}
	}
	return sections, nil
}

func note(distinct int, perToken float64) string {
	if distinct < 1000 {
		return ""
	}
	return fmt.Sprintf("Memory per remembered token: %.0f bytes.", perToken)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// rejectSection measures what a bad token costs, by its kind of badness.
func rejectSection() (section, error) {
	s, err := newSigner("RS256")
	if err != nil {
		return section{}, err
	}
	a, err := authenticator(s)
	if err != nil {
		return section{}, err
	}
	good, err := s.sign(nil, claims(1))
	if err != nil {
		return section{}, err
	}
	head := func(h map[string]string) string {
		b, _ := json.Marshal(h)
		rest := good[strings.IndexByte(good, '.'):]
		return base64.RawURLEncoding.EncodeToString(b) + rest
	}
	session, err := s.sign(map[string]any{"cat": "cl_B7d4PD111AAA"}, jwt.MapClaims{"sub": "user_2xhFjEI5X2qWRvtV13BzSj8H6Dk", "sid": "sess_1", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		return section{}, err
	}
	expired := claims(1)
	expired["exp"] = time.Now().Add(-time.Hour).Unix()
	expiredToken, err := s.sign(nil, expired)
	if err != nil {
		return section{}, err
	}
	ctx := context.Background()
	reject := func(name, token string) contender {
		return contender{name, func() error {
			state, err := a.AuthenticateToken(ctx, token, authn.M2MToken)
			if err == nil && state.Status != authn.SignedOut {
				err = errors.New("a bad token was signed in")
			}
			return err
		}}
	}
	bare, err := bareCheck(s, good)
	if err != nil {
		return section{}, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}))
	hs := head(map[string]string{"alg": "HS256", "typ": "JWT", "kid": keyID, "cat": m2mCat})
	return compare("Rejection, by kind of badness", "",
		contender{"limit: the bare signature check", bare},
		reject("garbage", "garbage"),
		reject("garbage with two dots", "a.b.c"),
		reject("another opaque type", "ak_LCWGdaM8mv8K4PC57IICZQXAeWfCgF30DZaFXHoGn9"),
		reject("wrong alg", hs),
		reject("wrong category", head(map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID, "cat": "cl_B7d4PD222AAA"})),
		reject("wrong type (session)", session),
		reject("bad signature", good[:len(good)-8]+"AAAAAAAA"),
		reject("expired", expiredToken),
		contender{"golang-jwt v5, wrong alg", func() error {
			if _, err := parser.Parse(hs, func(*jwt.Token) (any, error) { return s.private.Public(), nil }); err == nil {
				return errors.New("a bad token was accepted")
			}
			return nil
		}},
	)
}
