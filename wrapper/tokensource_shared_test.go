package wrapper_test

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// oauth2's own sources write to the token that they are given: two clients of one source must neither race nor change
// what the other sees.
func TestTokenIsEachCallersOwn(t *testing.T) {
	t.Parallel()
	m := &minter{lifetime: time.Hour}
	source := m.source(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := oauth2.ReuseTokenSourceWithExpiry(nil, source, 2*time.Hour).Token(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	token, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	if !token.Valid() {
		t.Error("a token that another caller has for expired is expired for all")
	}
	if n := m.minted.Load(); n != 1 {
		t.Errorf("%d tokens were minted", n)
	}
}
