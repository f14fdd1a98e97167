package m2mtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// m2mReply is an M2M token as the API sends it: with scopes and claims though they be empty.
type m2mReply struct {
	generated.M2MToken
	Claims json.RawMessage `json:"claims"`
	Scopes []string        `json:"scopes"`
}

func (t *m2mToken) reply(now time.Time) m2mReply {
	return m2mReply{
		M2MToken: generated.M2MToken{
			Object:           generated.M2MTokenObjectMachineToMachineToken,
			ID:               t.id,
			Subject:          t.subject,
			Revoked:          t.revoked,
			RevocationReason: t.reason,
			Expired:          t.expired(now),
			Expiration:       optionalMillis(t.expires),
			LastUsedAt:       optionalMillis(t.lastUsed),
			CreatedAt:        millis(t.created),
			UpdatedAt:        millis(t.updated),
		},
		Claims: orNull(t.claims),
		Scopes: orEmpty(t.scopes),
	}
}

func (t *m2mToken) replyWithToken(now time.Time) m2mReply {
	r := t.reply(now)
	r.Token = generated.Secret(t.secret)
	return r
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

func orEmpty(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

// createM2MToken tells null from absent, which the generated type does not.
type createM2MToken struct {
	TokenFormat            generated.TokenFormat `json:"token_format"`
	SecondsUntilExpiration json.RawMessage       `json:"seconds_until_expiration"`
	Claims                 json.RawMessage       `json:"claims"`
	MinRemainingTTLSeconds *int64                `json:"min_remaining_ttl_seconds"`
}

// lifetime gives the lifetime in seconds that is asked for, or 0 for one without end.
func (c *createM2MToken) lifetime(m *machine) (int64, *refusal) {
	switch {
	case c.SecondsUntilExpiration == nil:
		return m.ttl, nil
	case string(c.SecondsUntilExpiration) == "null":
		if c.TokenFormat == generated.TokenFormatJWT {
			return m.ttl, nil // a JWT always expires
		}
		return 0, nil
	}
	return seconds("seconds_until_expiration", c.SecondsUntilExpiration)
}

func seconds(name string, raw json.RawMessage) (int64, *refusal) {
	var n int64
	if json.Unmarshal(raw, &n) != nil || n < 1 || n > maxLifetime {
		return 0, badField(name, "must be a whole number of seconds, at most a hundred years")
	}
	return n, nil
}

// CreateM2MToken implements POST /m2m_tokens.
func (a api) CreateM2MToken(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, http.StatusCreated, func(c *call) (any, *refusal) {
		req, refused := decode[createM2MToken](c)
		if refused != nil {
			return nil, refused
		}
		m := a.state.machine(c.by.machineID)
		if m == nil { // deleted since the call was authenticated
			return nil, unauthorized("machine_secret_key_invalid", "The machine was deleted.")
		}
		if string(req.Claims) == "null" {
			req.Claims = nil
		}
		lifetime, refused := req.lifetime(m)
		if refused != nil {
			return nil, refused
		}
		t := &m2mToken{
			life:    life{created: c.now, updated: c.now},
			subject: m.id,
			scopes:  slices.Clone(m.scopes),
			claims:  req.Claims,
		}
		if lifetime > 0 {
			t.expires = c.now.Add(time.Duration(lifetime) * time.Second)
		}
		if req.TokenFormat == generated.TokenFormatJWT {
			return a.createJWT(c, t)
		}
		return a.createOpaque(c, t, lifetime, req.MinRemainingTTLSeconds)
	})
}

func (s *Server) createOpaque(c *call, t *m2mToken, lifetime int64, minRemaining *int64) (any, *refusal) {
	if s.jwtOnly {
		return nil, badField("token_format", "must be jwt: this instance mints no opaque tokens (m2mtest.WithJWTOnly)")
	}
	if minRemaining != nil {
		if lifetime > 0 && *minRemaining >= lifetime {
			return nil, badField("min_remaining_ttl_seconds", "must be less than the lifetime of the token")
		}
		if live := s.state.reusable(t, *minRemaining, c.now); live != nil {
			return live.replyWithToken(c.now), nil
		}
	}
	t.id, t.secret = s.ids.hexID("mt_"), s.ids.text("mt_", 32)
	s.state.addToken(t)
	s.cost.M2MTokensCreated++
	return t.replyWithToken(c.now), nil
}

func (st *state) addToken(t *m2mToken) {
	st.tokens = append(st.tokens, t)
	st.byToken[t.secret] = t
}

// reusable finds the live token of the same machine, claims and scopes that lives longest, if it has as many seconds left.
func (st *state) reusable(like *m2mToken, minRemaining int64, now time.Time) *m2mToken {
	until := now.Add(time.Duration(min(minRemaining, maxLifetime)) * time.Second)
	var best *m2mToken
	for _, t := range st.tokens {
		switch {
		case t.subject != like.subject || t.dead(now) || !t.expires.IsZero() && t.expires.Before(until):
		case !sameSet(t.scopes, like.scopes) || !sameJSON(t.claims, like.claims):
		case best == nil || !best.expires.IsZero() && (t.expires.IsZero() || t.expires.After(best.expires)):
			best = t
		}
	}
	return best
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(orNull(a), &x) == nil && json.Unmarshal(orNull(b), &y) == nil && reflect.DeepEqual(x, y)
}

// ownClaims are the claims of an M2M JWT that Clerk sets.
var ownClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scopes"}

// createJWT signs a token, which is then forgotten.
func (s *Server) createJWT(c *call, t *m2mToken) (any, *refusal) {
	claims := make(map[string]any)
	if t.claims != nil {
		var custom map[string]json.RawMessage
		if err := json.Unmarshal(t.claims, &custom); err != nil {
			return nil, badField("claims", "must be an object")
		}
		for name, value := range custom {
			if slices.Contains(ownClaims, name) {
				return nil, badField("claims/"+name, "is set by Clerk and cannot be a custom claim")
			}
			claims[name] = value
		}
	}
	t.id = s.ids.hexID("mt_")
	// A JWT counts whole seconds.
	t.created = t.created.Truncate(time.Second)
	t.expires, t.updated = t.expires.Truncate(time.Second), t.created
	s.m2mClaims(claims, t)
	t.secret = s.sign(m2mHeader(), claims)
	s.cost.M2MTokensCreated++
	return t.replyWithToken(c.now), nil
}

// m2mClaims sets the claims that Clerk sets.
func (s *Server) m2mClaims(claims map[string]any, t *m2mToken) {
	claims["iss"], claims["sub"], claims["jti"] = s.Issuer(), t.subject, t.id
	claims["iat"], claims["nbf"], claims["exp"] = t.created.Unix(), t.created.Unix()-10, t.expires.Unix()
	if len(t.scopes) > 0 {
		claims["scopes"], claims["aud"] = strings.Join(t.scopes, " "), t.scopes
	}
}

func m2mHeader() map[string]any { return map[string]any{"typ": "JWT", "cat": categoryM2M} }

// sign signs with the current key. The caller has the lock.
func (s *Server) sign(header, claims map[string]any) string {
	key := s.keys[0]
	signer := key.signer()
	alg := must(algorithmOf(signer.Public()))
	header["alg"], header["kid"] = alg, key.kid
	return must(signJWT(alg, signer, must(json.Marshal(header)), must(json.Marshal(claims))))
}

// GetM2MTokens implements GET /m2m_tokens.
func (a api) GetM2MTokens(w http.ResponseWriter, r *http.Request, params generated.GetM2MTokensParams) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		if !c.by.mayTouch(params.Subject) {
			return nil, refuse(http.StatusForbidden, "forbidden", "Forbidden", "A machine's secret key lists only the tokens of that machine.")
		}
		if a.state.machine(params.Subject) == nil {
			return nil, notFound("There is no machine with the id that subject gives.")
		}
		found := newestFirst(a.state.tokens, func(t *m2mToken) bool {
			return t.subject == params.Subject &&
				(!t.revoked || isTrue(params.Revoked)) &&
				(!t.expired(c.now) || isTrue(params.Expired))
		})
		tokens := []m2mReply{}
		for _, t := range page(found, params.Limit, params.Offset, 10) {
			tokens = append(tokens, t.reply(c.now))
		}
		return map[string]any{"m2m_tokens": tokens, "total_count": len(found)}, nil
	})
}

func isTrue(b *bool) bool { return b != nil && *b }

// RevokeM2MToken implements POST /m2m_tokens/{m2m_token_id}/revoke.
func (a api) RevokeM2MToken(w http.ResponseWriter, r *http.Request, id generated.M2MTokenID) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		req, refused := decode[generated.RevokeM2MTokenRequest](c)
		if refused != nil {
			return nil, refused
		}
		t := a.state.token(id)
		if t == nil || !c.by.mayTouch(t.subject) {
			return nil, notFound("There is no opaque token with that id that may be revoked with this secret key.")
		}
		t.revoke(req.RevocationReason, c.now)
		return t.reply(c.now), nil
	})
}

// VerifyM2MToken implements POST /m2m_tokens/verify.
func (a api) VerifyM2MToken(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		req, refused := decode[generated.VerifyM2MTokenRequest](c)
		if refused != nil {
			return nil, refused
		}
		secret := string(req.Token)
		t, opaque := a.state.byToken[secret]
		switch {
		case opaque || strings.HasPrefix(secret, "mt_"):
			a.cost.OpaqueVerifications++
		default:
			t = a.parseM2MJWT(secret, c.now)
		}
		if t == nil || c.by.machineID != "" && !slices.Contains(t.scopes, c.by.machineID) {
			return nil, notFound("There is no such token that was granted to the caller.")
		}
		if t.dead(c.now) && !a.deadAs200 {
			return nil, notFound("The token is revoked or expired.")
		}
		t.lastUsed = c.now
		return t.reply(c.now), nil
	})
}

// parseM2MJWT gives what a JWT of this instance says, or nil if it is not an M2M token of one of its machines. It may
// have expired. The caller has the lock.
func (s *Server) parseM2MJWT(token string, now time.Time) *m2mToken {
	c, err := s.keys.verifyJWT(token)
	if err != nil || c.typ != "JWT" && c.typ != "" || c.cat != categoryM2M && c.cat != "" {
		return nil
	}
	times, ok := c.life()
	t := &m2mToken{life: times, id: c.text("jti"), subject: c.text("sub"), scopes: strings.Fields(c.text("scopes"))}
	if !ok || !c.begun(now) || !m2mTokenIDShape.MatchString(t.id) || s.state.machine(t.subject) == nil {
		return nil
	}
	if len(t.scopes) == 0 && json.Unmarshal(c.all["aud"], &t.scopes) != nil {
		t.scopes = nil
	}
	custom := maps.Clone(c.all)
	for _, name := range ownClaims {
		delete(custom, name)
	}
	if len(custom) > 0 {
		t.claims = must(json.Marshal(custom))
	}
	return t
}
