package authn

import (
	"fmt"
	"strings"
)

// TokenType is a kind of Clerk token that a request may carry.
type TokenType string

// The token types. A set of them says what a handler accepts.
const (
	// SessionToken is a user's session JWT, from the Authorization header or the __session cookie.
	SessionToken TokenType = "session_token"
	// APIKey is an opaque key of a user, an organization or a machine (ak_...).
	APIKey TokenType = "api_key"
	// M2MToken is a machine's token for other machines, opaque (mt_...) or a JWT whose sub is a machine (mch_...).
	M2MToken TokenType = "m2m_token"
	// OAuthToken is an OAuth access token of this instance's, opaque (oat_...) or a JWT (RFC 9068).
	OAuthToken TokenType = "oauth_token"
)

// AnyToken returns all token types.
func AnyToken() []TokenType { return []TokenType{SessionToken, APIKey, M2MToken, OAuthToken} }

// typeSet is a set of token types, one bit each.
type typeSet uint8

func (t TokenType) bit() typeSet {
	switch t {
	case SessionToken:
		return 1
	case APIKey:
		return 2
	case M2MToken:
		return 4
	case OAuthToken:
		return 8
	}
	return 0
}

func newTypeSet(accept []TokenType) (typeSet, error) {
	if len(accept) == 0 {
		return SessionToken.bit(), nil
	}
	var s typeSet
	for _, t := range accept {
		b := t.bit()
		if b == 0 {
			return 0, fmt.Errorf("authn: unknown token type %q: use the constants of this package", string(t))
		}
		s |= b
	}
	return s, nil
}

func (s typeSet) has(t TokenType) bool { return s&t.bit() != 0 }

// single is the set's type when it has just one, else "".
func (s typeSet) single() TokenType {
	for _, t := range [...]TokenType{SessionToken, APIKey, M2MToken, OAuthToken} {
		if s == t.bit() {
			return t
		}
	}
	return ""
}

const (
	prefixM2M    = "mt_"
	prefixOAuth  = "oat_"
	prefixAPIKey = "ak_"
	// prefixMachine begins a machine's id: what makes a JWT an M2M token.
	prefixMachine = "mch_"
)

// opaqueType tells an opaque token's type by its prefix; "" means that it is not opaque.
func opaqueType(token string) TokenType {
	switch {
	case strings.HasPrefix(token, prefixM2M):
		return M2MToken
	case strings.HasPrefix(token, prefixOAuth):
		return OAuthToken
	case strings.HasPrefix(token, prefixAPIKey):
		return APIKey
	}
	return ""
}

// jwtType tells a JWT's type by the typ of its header and the sub of its payload. The machine's id
// goes first, as in Clerk's own SDK: an at+jwt of a machine is an M2M token, and then fails by its typ.
func jwtType(typ, sub string) TokenType {
	switch {
	case strings.HasPrefix(sub, prefixMachine):
		return M2MToken
	case typ == "at+jwt", typ == "application/at+jwt":
		return OAuthToken
	}
	return SessionToken
}

// TypeOf tells a token's type by its form alone: a prefix, or what a JWT says of itself. It is "" when
// the token is none of Clerk's. It verifies nothing; it is for logs and for choosing what to ask.
func TypeOf(token string) TokenType {
	if kind := opaqueType(token); kind != "" {
		return kind
	}
	if t, ok := parseJWT(token); ok {
		return t.tokenType()
	}
	return ""
}
