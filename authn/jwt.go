package authn

import (
	"encoding/base64"
	"strings"

	"github.com/m2mauth/clerk-m2m/internal/strictjson"
)

// maxJWT bounds a JWT's length, and with it what decoding can cost. A browser keeps no cookie above
// 4 KiB; this leaves room for machine tokens with large claims.
const maxJWT = 16 << 10

// Clerk's categories: the cat of a JWT's header says what the token was made for.
const (
	categorySession  = "cl_B7d4PD111AAA"
	categoryTemplate = "cl_B7d4PD222AAA"
	categoryM2M      = "cl_B7d4PD333AAA"
	// categoryIgnore carries no information: some instances put it into every JWT.
	categoryIgnore = "cl_I7d4PD111III"
)

// jwt is a decoded JWT whose signature is not checked yet.
type jwt struct {
	signed    string // header and payload as they were signed
	signature []byte
	header    header
	claims    claims
}

type header struct {
	alg, kid, typ string
	hasTyp        bool
	category      string // "" also for categoryIgnore
	critical      bool
}

// claims is a JWT's payload: each member's JSON text, "" when it is not there. What it must be depends
// on the token's type (a machine's own claims may have any name), and is judged after the signature.
type claims struct {
	doc       string // the whole payload
	notObject bool

	iss, sub, aud, exp, nbf, iat, jti string
	azp, sid, clientID                string
	scopes, scope, scp                string
}

// base64URL is strict about trailing bits and has no padding (RFC 7515 section 2).
var base64URL = base64.RawURLEncoding.Strict()

// splitJWT finds the two dots of a compact JWS (RFC 7515 section 7.1), between parts that are not empty.
func splitJWT(token string) (first, last int, ok bool) {
	if len(token) > maxJWT {
		return 0, 0, false
	}
	first = strings.IndexByte(token, '.')
	last = strings.LastIndexByte(token, '.')
	ok = first > 0 && last > first+1 && last < len(token)-1 && strings.IndexByte(token[first+1:last], '.') < 0
	return first, last, ok
}

// parseJWT decodes a compact JWS. It judges the form only; false means that the token is no JWT.
func parseJWT(token string) (*jwt, bool) {
	first, last, ok := splitJWT(token)
	if !ok || strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 { // which package base64 skips
		return nil, false
	}
	buf := make([]byte, 0, len(token))
	head, err := base64URL.AppendDecode(buf, []byte(token[:first]))
	if err != nil {
		return nil, false
	}
	payload, err := base64URL.AppendDecode(head[len(head):], []byte(token[first+1:last]))
	if err != nil {
		return nil, false
	}
	signature, err := base64URL.AppendDecode(payload[len(payload):], []byte(token[last+1:]))
	if err != nil {
		return nil, false
	}
	t := &jwt{signed: token[:last], signature: signature}
	if !t.header.parse(string(head)) || !t.claims.parse(string(payload)) {
		return nil, false
	}
	return t, true
}

func (h *header) parse(text string) bool {
	valid := true
	take := func(to *string, value string) {
		s, ok := strictjson.String(value)
		*to, valid = s, valid && ok
	}
	ok := strictjson.Members(text, func(name, value string) {
		switch name {
		case "alg":
			take(&h.alg, value)
		case "kid":
			take(&h.kid, value)
		case "typ":
			take(&h.typ, value)
			h.hasTyp = true
		case "cat":
			take(&h.category, value)
		case "crit":
			h.critical = true
		}
	})
	if h.category == categoryIgnore {
		h.category = ""
	}
	return ok && valid
}

// parse reads the payload. One that is JSON and no object has no claims: it fails after the signature,
// as it does in Clerk's own SDK.
func (c *claims) parse(text string) bool {
	c.doc = text
	ok := strictjson.Members(text, func(name, value string) {
		switch name {
		case "iss":
			c.iss = value
		case "sub":
			c.sub = value
		case "aud":
			c.aud = value
		case "exp":
			c.exp = value
		case "nbf":
			c.nbf = value
		case "iat":
			c.iat = value
		case "jti":
			c.jti = value
		case "azp":
			c.azp = value
		case "sid":
			c.sid = value
		case "client_id":
			c.clientID = value
		case "scopes":
			c.scopes = value
		case "scope":
			c.scope = value
		case "scp":
			c.scp = value
		}
	})
	c.notObject = !ok && !strictjson.IsObject(text) && strictjson.Valid(text)
	return ok || c.notObject
}

// custom gives the claims that are not one of RFC 7519's six: also those whose name means something
// for one of the token types, as Clerk's own SDK has it.
func (c *claims) custom() Claims {
	var b strings.Builder
	strictjson.Walk(c.doc, func(name, _, member string) {
		switch name {
		case "iss", "sub", "exp", "nbf", "iat", "jti":
			return
		}
		if b.Len() == 0 {
			b.Grow(len(c.doc))
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(member)
	})
	if b.Len() == 0 {
		return ""
	}
	b.WriteByte('}')
	return Claims(b.String())
}

// tokenType is what the JWT claims to be.
func (t *jwt) tokenType() TokenType {
	sub := ""
	if t.claims.sub != "" {
		sub, _ = strictjson.String(t.claims.sub)
	}
	return jwtType(t.header.typ, sub)
}

// checkHeader judges what the header says before any key is looked for (RFC 8725 sections 3.1 and 3.11).
func (t *jwt) checkHeader(kind TokenType) error {
	switch kind {
	case M2MToken:
		if t.header.category != "" && t.header.category != categoryM2M {
			return ErrCategory
		}
	case SessionToken:
		if t.header.category != "" && t.header.category != categorySession {
			return ErrCategory
		}
	}
	if kind != OAuthToken && t.header.hasTyp && t.header.typ != "JWT" {
		return ErrHeaderType // an OAuth token is one by its typ
	}
	if !supportedAlgorithm(t.header.alg) {
		return ErrAlgorithm
	}
	if t.header.critical {
		return ErrCritical
	}
	return nil
}
