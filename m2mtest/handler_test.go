package m2mtest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
)

// A service's test of its own handler. The README shows it.
func TestProtectedHandler(t *testing.T) {
	clerk := m2mtest.NewServer(t)
	billing := clerk.AddMachine("billing")
	orders := clerk.AddMachine("orders", billing.ID) // may call billing
	auth, err := authn.New(clerk.MachineClient(billing.ID))
	if err != nil {
		t.Fatal(err)
	}
	handler := auth.Require(authn.M2MToken)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for token, want := range map[string]int{
		string(clerk.MintM2M(orders.ID).Token): 200, clerk.MintJWT(orders.ID): 200,
		string(clerk.MintM2M(billing.ID).Token): 401, clerk.MintJWT(orders.ID, m2mtest.ForeignKey()): 401,
	} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		if handler.ServeHTTP(w, r); w.Code != want {
			t.Errorf("status %d, want %d", w.Code, want)
		}
	}
}
