package authn

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How a key set that is fetched is kept. See keySet.
const (
	keysRefreshAfter = 4 * time.Minute  // from here on a request starts a refresh in the background
	keysFreshFor     = 5 * time.Minute  // from here on requests wait for it, shortly
	keysStaleWait    = time.Second      // how shortly
	keysUsableFor    = time.Hour        // what is kept when no refresh succeeds
	keysFetchTimeout = 15 * time.Second // of one fetch, its retries included
	unknownKeyPause  = 30 * time.Second // between fetches for the sake of unknown key ids
	maxFetchPause    = 30 * time.Second // after failures, see pauseAfter
)

// keySet holds the signing keys of an instance. With a PEM key it is fixed; else it is fetched when it
// is first needed, replaced whole, and served for a bounded time when it cannot be fetched again. One
// goroutine fetches at a time, and whoever needs the result waits for that one.
type keySet struct {
	fixed *publicKey // answers for every key id
	fetch func(context.Context) (map[string]*publicKey, error)
	now   func() time.Time
	log   *slog.Logger

	current atomic.Pointer[fetchedKeys]
	flights flights[struct{}, *fetchedKeys]

	mu       sync.Mutex
	begun    time.Time // when the fetch under way began; zero when there is none
	failures int       // in a row
	failedAt time.Time // when the last of them ended
	failure  error
	lookedAt time.Time // when a fetch last began that did not bring an id it was made for
}

type fetchedKeys struct {
	byID map[string]*publicKey
	at   time.Time
}

// find gives the key with this id. Its error is ErrUnknownKey, or ErrCannotDecide where the keys that
// would tell cannot be had.
func (s *keySet) find(ctx context.Context, id string) (*publicKey, error) {
	if s.fixed != nil {
		return s.fixed, nil
	}
	asked := s.now()
	keys, fetched, err := s.get(ctx, id)
	// A fetch that was under way already may not know a key that is newer than it; the one after it does.
	for range 2 {
		if err != nil || keys.byID[id] != nil || fetched && !keys.at.Before(asked) || s.lookedRecently() {
			break
		}
		keys, err = s.update(ctx, id, true)
		fetched = true
	}
	if err != nil {
		return nil, cannotDecide(fmt.Errorf("fetching the signing keys: %w", err))
	}
	if key := keys.byID[id]; key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("%w %.64q", ErrUnknownKey, id)
}

// holds reports whether key is still one of the set's: what it verified before then still counts.
func (s *keySet) holds(ctx context.Context, key *publicKey) bool {
	if s.fixed != nil {
		return key == s.fixed
	}
	keys, _, err := s.get(ctx, key.id)
	return err == nil && keys.byID[key.id] == key
}

// get gives the current keys, and whether this call waited for them. id is what they are wanted for.
func (s *keySet) get(ctx context.Context, id string) (keys *fetchedKeys, fetched bool, err error) {
	keys = s.current.Load()
	age := keysUsableFor
	if keys != nil {
		age = s.now().Sub(keys.at)
	}
	switch {
	case age < keysRefreshAfter:
		return keys, false, nil
	case age < keysFreshFor:
		_, _ = s.begin(id, false) // nobody waits for it
		return keys, false, nil
	case age < keysUsableFor:
		// The old keys serve unless newer ones come soon.
		ctx, cancel := context.WithTimeout(ctx, keysStaleWait-s.underWay())
		defer cancel()
		if newer, err := s.update(ctx, id, false); err == nil {
			return newer, true, nil
		}
		return keys, false, nil
	}
	keys, err = s.update(ctx, id, false)
	return keys, true, err
}

// lookedRecently tells whether it is too soon to fetch the set for the sake of an unknown id again.
func (s *keySet) lookedRecently() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookedRecentlyLocked()
}

func (s *keySet) lookedRecentlyLocked() bool {
	return !s.lookedAt.IsZero() && s.now().Sub(s.lookedAt) < unknownKeyPause
}

// underWay is how long the fetch under way has been, if there is one.
func (s *keySet) underWay() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun.IsZero() {
		return 0
	}
	return s.now().Sub(s.begun)
}

// update waits for the fetch under way, or for a new one.
func (s *keySet) update(ctx context.Context, id string, lookFor bool) (*fetchedKeys, error) {
	fl, err := s.begin(id, lookFor)
	if err != nil {
		return nil, err
	}
	select {
	case <-fl.ended:
		return fl.value, fl.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin starts a fetch unless one is under way or the last has only just failed. It ends by itself, also
// when nobody waits: the next request profits.
func (s *keySet) begin(id string, lookFor bool) (*flight[*fetchedKeys], error) {
	s.mu.Lock()
	pausing, failure := s.failures > 0 && s.now().Sub(s.failedAt) < pauseAfter(s.failures), s.failure
	s.mu.Unlock()
	if pausing {
		return nil, failure
	}
	return s.flights.join(struct{}{}, func(ctx context.Context) (*fetchedKeys, error) {
		return s.replace(ctx, id, lookFor)
	})
}

// pauseAfter is the time before the next fetch after failures in a row: none after the first, which
// may have been a hiccup, then 1 s, doubled each time.
func pauseAfter(failures int) time.Duration {
	if failures < 2 {
		return 0
	}
	return min(time.Second<<min(failures-2, 10), maxFetchPause)
}

// replace fetches the set and puts it in the place of the old one.
func (s *keySet) replace(ctx context.Context, id string, lookFor bool) (*fetchedKeys, error) {
	s.mu.Lock()
	old := s.current.Load()
	if lookFor && s.lookedRecentlyLocked() { // by a fetch that ended while this one was begun
		s.mu.Unlock()
		return old, nil
	}
	begun := s.now()
	s.begun = begun
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, keysFetchTimeout)
	defer cancel()
	byID, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = time.Time{}
	if err != nil {
		s.failures++
		s.failedAt, s.failure = s.now(), err
		s.log.Warn("authn: the signing keys could not be fetched", "error", err, "failures", s.failures, "have_old_keys", old != nil)
		return nil, err
	}
	s.failures, s.failure = 0, nil
	keys := &fetchedKeys{byID: byID, at: begun}
	if old != nil {
		for id, key := range byID { // a key that stays is the same one to what remembers it
			if key.same(old.byID[id]) {
				byID[id] = old.byID[id]
			}
		}
	}
	s.current.Store(keys)
	if byID[id] == nil {
		s.lookedAt = begun
	}
	return keys, nil
}
