package m2mtest_test

import (
	"fmt"
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
		string(clerk.MintM2M(orders.ID).Token): 200, clerk.MintJWT(orders.ID): 200, clerk.MintJWT(billing.ID): 401,
	} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		if handler.ServeHTTP(w, r); w.Code != want {
			t.Errorf("status %d, want %d", w.Code, want)
		}
	}
}

// A test of a handler that only machines may call. In a test, t is its *testing.T.
func Example_protectedHandler() {
	t := new(exampleT)
	defer t.end()

	clerk := m2mtest.NewServer(t)
	billing := clerk.AddMachine("billing")
	orders := clerk.AddMachine("orders", billing.ID) // may call billing
	auth, err := authn.New(clerk.MachineClient(billing.ID))
	if err != nil {
		t.Fatalf("%v", err)
	}
	handler := auth.Require(authn.M2MToken)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, caller := range []m2mtest.Machine{orders, billing} {
		r, w := httptest.NewRequest("GET", "/invoices", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+string(clerk.MintM2M(caller.ID).Token))
		handler.ServeHTTP(w, r)
		fmt.Println(caller.Name, w.Code)
	}
	// Output:
	// orders 200
	// billing 401
}

// exampleT stands in for *testing.T.
type exampleT struct{ cleanups []func() }

func (*exampleT) Helper()                           {}
func (t *exampleT) Cleanup(f func())                { t.cleanups = append(t.cleanups, f) }
func (*exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleT) end() {
	for _, f := range t.cleanups {
		f()
	}
}
