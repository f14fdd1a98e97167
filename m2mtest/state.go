package m2mtest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

const (
	// maxScopes is how many machines one machine may call.
	maxScopes = 150
	// defaultTokenTTL is a machine's default_token_ttl, in seconds, where none is given.
	defaultTokenTTL = 3600
	// maxLifetime bounds the lifetimes, in seconds, that callers may ask for, so that times do not overflow.
	maxLifetime = 100 * 365 * 24 * 3600
)

// state is all that the API remembers. Slices are ordered by creation.
type state struct {
	machines []*machine
	tokens   []*m2mToken
	apiKeys  []*apiKey
	oauth    []*oauthToken

	byToken  map[string]*m2mToken // by secret value
	byAPIKey map[string]*apiKey
	byOAuth  map[string]*oauthToken
}

func newState() state {
	return state{
		byToken:  make(map[string]*m2mToken),
		byAPIKey: make(map[string]*apiKey),
		byOAuth:  make(map[string]*oauthToken),
	}
}

type machine struct {
	id, name         string
	ttl              int64
	scopes           []string
	secret           string
	previous         []previousSecret
	created, updated time.Time
}

// previousSecret is a secret key that was rotated away.
type previousSecret struct {
	key   string
	until time.Time
}

// accepts tells whether a secret key is the machine's, or was until a short while ago.
func (m *machine) accepts(key string, now time.Time) bool {
	return m.secret == key || slices.ContainsFunc(m.previous, func(p previousSecret) bool {
		return p.key == key && now.Before(p.until)
	})
}

// life is what tokens and API keys have in common.
type life struct {
	created, updated time.Time
	expires          time.Time // zero for never
	lastUsed         time.Time // zero for not yet
	revoked          bool
	reason           *string
}

type m2mToken struct {
	life
	id, subject, secret string
	scopes              []string
	claims              json.RawMessage
}

type apiKey struct {
	life
	id, kind, subject, name, secret string
	description, createdBy          *string
	scopes                          []string
	claims                          json.RawMessage
}

type oauthToken struct {
	life
	id, clientID, subject, secret string
	scopes                        []string
}

func (l *life) expired(now time.Time) bool { return !l.expires.IsZero() && !now.Before(l.expires) }

func (l *life) dead(now time.Time) bool { return l.revoked || l.expired(now) }

// revoke ends it; the reason of the first time stays.
func (l *life) revoke(reason *string, now time.Time) {
	if !l.revoked {
		l.revoked, l.reason, l.updated = true, reason, now
	}
}

func (st *state) machine(id string) *machine {
	for _, m := range st.machines {
		if m.id == id {
			return m
		}
	}
	return nil
}

// machineBySecret finds the machine that a secret key is valid for.
func (st *state) machineBySecret(key string, now time.Time) *machine {
	for _, m := range st.machines {
		if m.accepts(key, now) {
			return m
		}
	}
	return nil
}

func (st *state) token(id string) *m2mToken {
	for _, t := range st.tokens {
		if t.id == id {
			return t
		}
	}
	return nil
}

func (st *state) apiKey(id string) *apiKey {
	for _, k := range st.apiKeys {
		if k.id == id {
			return k
		}
	}
	return nil
}

// deleteMachine removes a machine, its tokens, and it from what others may call.
func (st *state) deleteMachine(id string, now time.Time) {
	st.machines = slices.DeleteFunc(st.machines, func(m *machine) bool { return m.id == id })
	for _, m := range st.machines {
		if slices.Contains(m.scopes, id) {
			m.scopes = slices.DeleteFunc(m.scopes, func(to string) bool { return to == id })
			m.updated = now
		}
	}
	st.tokens = slices.DeleteFunc(st.tokens, func(t *m2mToken) bool {
		if t.subject == id {
			delete(st.byToken, t.secret)
		}
		return t.subject == id
	})
}

// page cuts a page out of a list.
func page[T any](all []T, limit, offset *int64, otherwise int64) []T {
	from, size := int64(0), otherwise
	if offset != nil {
		from = *offset
	}
	if limit != nil {
		size = *limit
	}
	from = min(from, int64(len(all)))
	return all[from:min(from+size, int64(len(all)))]
}

// newestFirst gives those that pass, in the reverse order of their creation.
func newestFirst[T any](all []T, pass func(T) bool) []T {
	found := make([]T, 0, len(all))
	for _, v := range slices.Backward(all) {
		if pass(v) {
			found = append(found, v)
		}
	}
	return found
}

func millis(t time.Time) generated.UnixMilli { return t.UnixMilli() }

func optionalMillis(t time.Time) *generated.OptionalUnixMilli {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}
