package m2mtest

import (
	crand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// random makes ids and secrets. It is safe for concurrent use.
type random struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// newRandom gives one stream of a seed, or of a random one.
func newRandom(seed *uint64, stream byte) *random {
	var key [32]byte
	if seed != nil {
		binary.LittleEndian.PutUint64(key[:], *seed)
		key[8] = stream
	} else {
		_, _ = crand.Read(key[:]) // never fails
	}
	return &random{source: rand.NewChaCha8(key)}
}

// text gives a prefix and n letters and digits.
func (r *random) text(prefix string, n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	letters := rand.New(r.source)
	b := []byte(prefix)
	for range n {
		b = append(b, base62[letters.IntN(len(base62))])
	}
	return string(b)
}

// id gives an id of the form that Clerk's machines, users and instances have.
func (r *random) id(prefix string) string { return r.text(prefix, 27) }

// hexID gives an id of the form that Clerk's tokens and API keys have.
func (r *random) hexID(prefix string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b [16]byte
	_, _ = r.source.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}

// chance is true with the probability p.
func (r *random) chance(p float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return rand.New(r.source).Float64() < p
}
