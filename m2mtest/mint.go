package m2mtest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// AddMachine adds a machine that may call the machines with the ids of scopes.
func (s *Server) AddMachine(name string, scopes ...string) Machine {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" {
		s.fail("AddMachine: a machine needs a name")
		return Machine{}
	}
	for _, id := range scopes {
		if s.state.machine(id) == nil {
			s.fail("AddMachine(%q): there is no machine %q", name, id)
			return Machine{}
		}
	}
	m := s.newMachine(name, scopes, nil)
	return Machine{ID: m.id, Name: m.name, SecretKey: generated.Secret(m.secret)}
}

// AddScope lets a machine call another, as CreateMachineScope does.
func (s *Server) AddScope(machineID, toMachineID string) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.state.machine(machineID)
	if m == nil || s.state.machine(toMachineID) == nil {
		s.fail("AddScope: there is no machine %q or no %q", machineID, toMachineID)
		return
	}
	if !slices.Contains(m.scopes, toMachineID) {
		m.scopes, m.updated = append(m.scopes, toMachineID), s.Now()
	}
}

// MachineSecretKey gives the newest secret key of a machine.
func (s *Server) MachineSecretKey(machineID string) string {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.state.machine(machineID)
	if m == nil {
		s.fail("MachineSecretKey: there is no machine %q", machineID)
		return ""
	}
	return m.secret
}

// MintM2M makes an opaque M2M token of a machine, with its scopes and its default lifetime, as createM2MToken does but
// without a call. Its Token is set.
func (s *Server) MintM2M(machineID string, opts ...MintOption) *generated.M2MToken {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.state.machine(machineID)
	if from == nil {
		s.fail("MintM2M: there is no machine %q", machineID)
		return nil
	}
	m := s.opaque("MintM2M", time.Duration(from.ttl)*time.Second, slices.Clone(from.scopes), opts)
	claims, err := m.customJSON()
	if err != nil {
		s.fail("MintM2M: the claims: %v", err)
		return nil
	}
	t := &m2mToken{life: m.life(), id: s.ids.hexID("mt_"), subject: machineID, secret: s.ids.text("mt_", 32), scopes: m.scopes, claims: claims}
	s.state.addToken(t)
	reply := t.replyWithToken(s.Now())
	reply.M2MToken.Claims, reply.M2MToken.Scopes = claims, reply.Scopes
	return &reply.M2MToken
}

// MintJWT makes an M2M JWT, good by default. The machine need not exist; one that does gives its scopes and its default
// lifetime, one that does not gives none and an hour.
func (s *Server) MintJWT(machineID string, opts ...MintOption) string {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	lifetime, scopes := int64(defaultTokenTTL), []string(nil)
	if from := s.state.machine(machineID); from != nil {
		lifetime, scopes = from.ttl, slices.Clone(from.scopes)
	}
	m := newMint(s.Now(), time.Duration(lifetime)*time.Second, scopes, opts)
	t := &m2mToken{life: m.life(), id: s.ids.hexID("mt_"), subject: machineID, scopes: m.scopes}
	claims := maps.Clone(m.custom)
	if claims == nil {
		claims = make(map[string]any)
	}
	s.m2mClaims(claims, t)
	return s.mintJWT("MintJWT", m, m2mHeader(), claims)
}

// MintSession makes a session token of a user, as a browser would send it: it expires in a minute.
func (s *Server) MintSession(userID string, opts ...MintOption) string {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := newMint(s.Now(), time.Minute, nil, opts)
	claims := maps.Clone(m.custom)
	if claims == nil {
		claims = make(map[string]any)
	}
	times := m.life()
	maps.Copy(claims, map[string]any{
		"iss": s.Issuer(), "sub": userID, "sid": s.ids.id("sess_"), "sts": "active", "v": 2, "fva": []int{0, -1},
		"iat": times.created.Unix(), "nbf": times.created.Unix() - 10, "exp": times.expires.Unix(), "jti": s.ids.hexID(""),
	})
	return s.mintJWT("MintSession", m, map[string]any{"typ": "JWT", "cat": categorySession}, claims)
}

// MintAPIKey makes an API key of a user, an organization or a machine, that never expires, as createApiKey does but
// without a call. Its Secret is set.
func (s *Server) MintAPIKey(subject string, opts ...MintOption) *generated.APIKey {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !apiKeySubjectShape.MatchString(subject) {
		s.fail("MintAPIKey: %q is no id of a user, an organization or a machine; UserID makes one up", subject)
		return nil
	}
	m := s.opaque("MintAPIKey", 0, nil, append([]MintOption{NeverExpires(), Name("m2mtest")}, opts...))
	claims, err := m.customJSON()
	if err != nil {
		s.fail("MintAPIKey: the claims: %v", err)
		return nil
	}
	k := &apiKey{
		life: m.life(), id: s.ids.hexID("ak_"), kind: apiKeyKind, subject: subject, name: m.name,
		secret: s.ids.text("ak_", 42), scopes: m.scopes, claims: claims,
	}
	s.state.addAPIKey(k)
	reply := k.replyWithSecret(s.Now())
	return &reply
}

// OAuthToken is an OAuth access token.
type OAuthToken struct {
	ID    string
	Token generated.Secret
}

// MintOAuth makes an opaque OAuth access token of a user. It expires in a day.
func (s *Server) MintOAuth(userID string, opts ...MintOption) OAuthToken {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !userIDShape.MatchString(userID) {
		s.fail("MintOAuth: %q is no id of a user; UserID makes one up", userID)
		return OAuthToken{}
	}
	m := s.opaque("MintOAuth", 24*time.Hour, nil, opts)
	t := s.newOAuthToken(m, userID)
	t.secret = s.ids.text("oat_", 32)
	s.state.byOAuth[t.secret] = t
	return OAuthToken{ID: t.id, Token: generated.Secret(t.secret)}
}

// MintOAuthJWT makes an OAuth access token of a user that is a JWT (RFC 9068). It expires in a day.
func (s *Server) MintOAuthJWT(userID string, opts ...MintOption) string {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := newMint(s.Now(), 24*time.Hour, nil, opts)
	t := s.newOAuthToken(m, userID)
	claims := map[string]any{
		"iss": s.Issuer(), "sub": userID, "client_id": t.clientID, "jti": t.id,
		"iat": t.created.Unix(), "nbf": t.created.Unix() - 10, "exp": t.expires.Unix(),
	}
	if len(t.scopes) > 0 {
		claims["scope"] = strings.Join(t.scopes, " ")
	}
	return s.mintJWT("MintOAuthJWT", m, map[string]any{"typ": "at+jwt"}, claims)
}

func (s *Server) newOAuthToken(m *mint, userID string) *oauthToken {
	if m.client == "" {
		m.client = s.ids.id("client_")
	}
	t := &oauthToken{life: m.life(), id: s.ids.hexID("oat_"), clientID: m.client, subject: userID, scopes: m.scopes}
	s.state.oauth = append(s.state.oauth, t)
	return t
}

// UserID makes up the id of a user.
func (s *Server) UserID() string { return s.ids.id("user_") }

// OrganizationID makes up the id of an organization.
func (s *Server) OrganizationID() string { return s.ids.id("org_") }

// opaque reads the options of what is not a JWT.
func (s *Server) opaque(method string, lifetime time.Duration, scopes []string, opts []MintOption) *mint {
	s.tb.Helper()
	m := newMint(s.Now(), lifetime, scopes, opts)
	if m.jwtOnly != "" {
		s.fail("%s: %s is for JWTs only", method, m.jwtOnly)
	}
	return m
}

func (s *Server) mintJWT(method string, m *mint, header, claims map[string]any) string {
	s.tb.Helper()
	if m.never {
		delete(claims, "exp")
	}
	token, err := m.jwt(s.keys[0], header, claims)
	if err != nil {
		s.fail("%s: %v", method, err)
	}
	return token
}
