package m2mtest

import (
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// MintOption changes what a Mint method makes. Those that say so are for JWTs only; with an opaque token they are a
// misuse.
type MintOption func(*mint)

// mint is what the options ask for.
type mint struct {
	now      time.Time
	lifetime time.Duration
	never    bool
	scopes   []string
	custom   map[string]any // what the API would take as claims
	revoked  bool
	reason   *string
	client   string
	name     string

	header, claims        map[string]any // overrides; nil is no member
	rawHeader, rawPayload []byte
	alg                   string
	foreign               bool
	jwtOnly               string // an option that was given and needs a JWT
}

func newMint(now time.Time, lifetime time.Duration, scopes []string, opts []MintOption) *mint {
	m := &mint{now: now, lifetime: lifetime, scopes: scopes, header: make(map[string]any), claims: make(map[string]any)}
	for _, opt := range opts {
		opt(m)
	}
	return m
}

// absent marks a member that is removed, so that nil can stand for null.
type absent struct{}

// ExpiresIn sets the lifetime. One below zero makes a token that has expired.
func ExpiresIn(d time.Duration) MintOption { return func(m *mint) { m.lifetime, m.never = d, false } }

// NeverExpires makes an opaque token or an API key without an end, and a JWT without exp.
func NeverExpires() MintOption { return func(m *mint) { m.never = true } }

// Scopes sets the scopes: for an M2M token the ids of the machines that may be called, instead of those of the machine
// that it is for.
func Scopes(scopes ...string) MintOption { return func(m *mint) { m.scopes = scopes } }

// CustomClaims sets the custom claims of an M2M token, an API key or a session token.
func CustomClaims(claims map[string]any) MintOption {
	return func(m *mint) { m.custom = maps.Clone(claims) }
}

// Revoked makes a token or an API key that has been revoked. An M2M JWT cannot be: it is not stored.
func Revoked(reason string) MintOption {
	return func(m *mint) { m.revoked, m.reason = true, &reason }
}

// Name sets the name of an API key. Default: "m2mtest".
func Name(name string) MintOption { return func(m *mint) { m.name = name } }

// ClientID sets the client of an OAuth access token. Default: one that is made up.
func ClientID(id string) MintOption { return func(m *mint) { m.client = id } }

// Header sets a member of the header of a JWT; nil is null.
func Header(name string, value any) MintOption {
	return func(m *mint) { m.header[name], m.jwtOnly = value, "Header" }
}

// WithoutHeader leaves a member out of the header of a JWT.
func WithoutHeader(name string) MintOption {
	return func(m *mint) { m.header[name], m.jwtOnly = absent{}, "WithoutHeader" }
}

// Claim sets any claim of a JWT, those that Clerk sets included; nil is null.
func Claim(name string, value any) MintOption {
	return func(m *mint) { m.claims[name], m.jwtOnly = value, "Claim" }
}

// WithoutClaim leaves a claim out of a JWT.
func WithoutClaim(name string) MintOption {
	return func(m *mint) { m.claims[name], m.jwtOnly = absent{}, "WithoutClaim" }
}

// RawHeader gives the header of a JWT as it is, to have members twice, or what is no object at all. It is signed.
func RawHeader(header string) MintOption {
	return func(m *mint) { m.rawHeader, m.jwtOnly = []byte(header), "RawHeader" }
}

// RawPayload gives the payload of a JWT as it is. It is signed.
func RawPayload(payload string) MintOption {
	return func(m *mint) { m.rawPayload, m.jwtOnly = []byte(payload), "RawPayload" }
}

// Algorithm signs a JWT with another algorithm of RFC 7518 or RFC 8037, and names it in the header unless [Header]
// names one: RS and PS use the signing key if it is RSA; ES and EdDSA use it if it is of that kind, else a key that no
// instance has; HS uses the public key's PEM for a secret, as the attack on careless verifiers does; "none" leaves the
// signature empty.
func Algorithm(alg string) MintOption {
	return func(m *mint) { m.alg, m.jwtOnly = alg, "Algorithm" }
}

// ForeignKey signs a JWT with a key that no instance has, under the kid of the one that has.
func ForeignKey() MintOption {
	return func(m *mint) { m.foreign, m.jwtOnly = true, "ForeignKey" }
}

// life gives the times of what is minted.
func (m *mint) life() life {
	l := life{created: m.now, updated: m.now, revoked: m.revoked, reason: m.reason}
	if m.lifetime < 0 { // made so long ago that it has expired
		l.created = m.now.Add(2 * m.lifetime)
		l.updated = l.created
	}
	if !m.never {
		l.expires = m.now.Add(m.lifetime)
	}
	return l
}

// customJSON gives the custom claims as the API keeps them.
func (m *mint) customJSON() (json.RawMessage, error) {
	if m.custom == nil {
		return nil, nil
	}
	return json.Marshal(m.custom)
}

// jwt makes a JWT of what Clerk would put there and what the options change.
func (m *mint) jwt(key signingKey, header, claims map[string]any) (string, error) {
	alg := m.alg
	signer, err := m.signer(key, &alg)
	if err != nil {
		return "", err
	}
	header["alg"], header["kid"] = alg, key.kid
	rawHeader, err := override(m.rawHeader, header, m.header)
	if err != nil {
		return "", fmt.Errorf("the header: %w", err)
	}
	rawPayload, err := override(m.rawPayload, claims, m.claims)
	if err != nil {
		return "", fmt.Errorf("the claims: %w", err)
	}
	return signJWT(alg, signer, rawHeader, rawPayload)
}

func override(raw []byte, members, changes map[string]any) ([]byte, error) {
	if raw != nil {
		return raw, nil
	}
	for name, value := range changes {
		if value == (absent{}) {
			delete(members, name)
		} else {
			members[name] = value
		}
	}
	return json.Marshal(members)
}

// signer finds the key that fits the algorithm, or the algorithm that fits the key.
func (m *mint) signer(key signingKey, alg *string) (crypto.Signer, error) {
	own := key.signer()
	ownAlg := must(algorithmOf(own.Public()))
	if *alg == "" {
		*alg = ownAlg
	}
	if !m.foreign && (*alg == ownAlg || *alg == "none" || strings.HasPrefix(*alg, "HS")) {
		return own, nil
	}
	switch *alg {
	case "ES256":
		return foreignP256(), nil
	case "ES384":
		return foreignP384(), nil
	case "ES512":
		return foreignP521(), nil
	case "EdDSA":
		return foreignEd25519(), nil
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		if ownAlg == "RS256" && !m.foreign {
			return own, nil
		}
		return foreignRSA(), nil
	case "HS256", "HS384", "HS512", "none":
		return foreignRSA(), nil
	}
	return nil, fmt.Errorf("there is no algorithm %q here", *alg)
}
