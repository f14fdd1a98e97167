package authn

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// digest stands for a token where it is remembered, so that memory holds none.
type digest = [sha256.Size]byte

// digester makes digests without leaving a copy of each token for the garbage collector.
type digester struct{ buffers sync.Pool }

func (h *digester) digest(token string) digest {
	buf, _ := h.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	*buf = append((*buf)[:0], token...)
	d := sha256.Sum256(*buf)
	clear(*buf)
	h.buffers.Put(buf)
	return d
}

// memory remembers verified tokens. A nil one remembers nothing.
type memory struct {
	tokens *lru.Cache[digest, *remembered]
	policy TokenCache
	keys   *keySet
	now    func() time.Time
}

type remembered struct {
	auth  Auth
	key   *publicKey // which verified it; nil when Clerk did
	until time.Time
}

func newMemory(policy TokenCache, keys *keySet, now func() time.Time) (*memory, error) {
	if policy.Size < 0 {
		return nil, nil
	}
	tokens, err := lru.New[digest, *remembered](policy.Size)
	if err != nil {
		return nil, err
	}
	return &memory{tokens: tokens, policy: policy, keys: keys, now: now}, nil
}

// recall gives what is remembered of a token, unless its time is over or its key is no more.
func (m *memory) recall(ctx context.Context, d digest) Auth {
	if m == nil {
		return nil
	}
	r, ok := m.tokens.Get(d)
	if !ok {
		return nil
	}
	if !m.now().Before(r.until) || r.key != nil && !m.keys.holds(ctx, r.key) {
		m.tokens.Remove(d)
		return nil
	}
	return r.auth
}

// remember keeps auth, which nobody may change from then on. key is nil when Clerk verified the token.
func (m *memory) remember(d digest, auth Auth, key *publicKey) {
	if m == nil {
		return
	}
	age := m.policy.OpaqueMaxAge
	if age <= 0 && key == nil || m.policy.JWTMaxAge < 0 && key != nil {
		return
	}
	until := expiry(auth)
	if key != nil {
		age = m.policy.JWTMaxAge
	}
	if age > 0 {
		if last := m.now().Add(age); until.IsZero() || last.Before(until) {
			until = last
		}
	}
	m.tokens.Add(d, &remembered{auth: auth, key: key, until: until})
}

func expiry(auth Auth) time.Time {
	switch a := auth.(type) {
	case *M2MAuth:
		return a.ExpiresAt
	case *APIKeyAuth:
		return a.ExpiresAt
	case *OAuthAuth:
		return a.ExpiresAt
	case *SessionAuth:
		return a.ExpiresAt
	}
	return time.Time{}
}

// signIn gives a caller a State of its own, whose Auth it may change, in as few allocations as can be.
func signIn(auth Auth) *State {
	switch a := auth.(type) {
	case *M2MAuth:
		s := &struct {
			State
			auth M2MAuth
		}{auth: *a}
		s.auth.Scopes = slices.Clone(a.Scopes)
		s.State = State{Status: SignedIn, TokenType: M2MToken, Auth: &s.auth}
		return &s.State
	case *APIKeyAuth:
		own := *a
		own.Scopes = slices.Clone(a.Scopes)
		return &State{Status: SignedIn, TokenType: APIKey, Auth: &own}
	case *OAuthAuth:
		own := *a
		own.Scopes = slices.Clone(a.Scopes)
		return &State{Status: SignedIn, TokenType: OAuthToken, Auth: &own}
	case *SessionAuth:
		own := *a
		return &State{Status: SignedIn, TokenType: SessionToken, Auth: &own}
	}
	return &State{Status: SignedOut, Reason: ReasonUnexpectedError, Err: ErrMalformed}
}
