//go:build !race

package authn_test

import (
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
)

// The race detector allocates on its own account, hence the build tag.
func TestAllocations(t *testing.T) {
	token := m2mJWT(t, "ins_1", keyA(), time.Now())
	for name, test := range map[string]struct {
		auth  *authn.Authenticator
		token string
		most  float64
	}{
		"cold":       {newPEM(t, &keyA().PublicKey, authn.WithTokenCache(authn.TokenCache{Size: -1})), token, 45},
		"remembered": {newPEM(t, &keyA().PublicKey), token, 2},
		"garbage":    {newPEM(t, &keyA().PublicKey), "garbage", 1},
	} {
		ctx := t.Context()
		n := testing.AllocsPerRun(200, func() {
			if _, err := test.auth.AuthenticateToken(ctx, test.token, authn.M2MToken); err != nil {
				t.Fatal(err)
			}
		})
		if n > test.most {
			t.Errorf("%s: %v allocations, at most %v are wanted", name, n, test.most)
		}
		t.Logf("%s: %v allocations", name, n)
	}
}
