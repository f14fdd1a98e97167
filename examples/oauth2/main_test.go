package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/examples/internal/program"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

func TestOAuth2(t *testing.T) {
	clerk := program.Clerk(t)
	billing := serveBilling(t, clerk)
	program.As(t, "ak_orders")
	var out strings.Builder
	if err := run(t.Context(), []string{billing.URL}, &out); err != nil {
		t.Fatal(err)
	}
	if want := "report for " + program.MachineID(t, clerk, "orders"); out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// Between two requests most of the token's life passes: the second one is sent with the token that there is, and has
// it renewed. A client that kept its token to the end would not.
func TestTokenIsRenewedEarly(t *testing.T) {
	clerk := program.Clerk(t)
	billing := serveBilling(t, clerk)
	var ahead atomic.Int64
	tokens := clerk.MachineClient(program.MachineID(t, clerk, "orders")).M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{},
		wrapper.WithTokenClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	defer tokens.Close()
	client := newClient(t.Context(), tokens)

	first, err := tokens.Token()
	if err != nil {
		t.Fatal(err)
	}
	if err := fetch(t.Context(), client, billing.URL, io.Discard); err != nil {
		t.Fatal(err)
	}
	passed := time.Until(first.Expiry) * 9 / 10
	ahead.Store(int64(passed))
	clerk.Advance(passed)
	if err := fetch(t.Context(), client, billing.URL, io.Discard); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); clerk.CallsTo("createM2MToken") < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the token was not renewed")
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	clerk := program.Clerk(t)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was sent Authorization: %t", r.Header.Get("Authorization") != "")
	}))
	defer other.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	program.As(t, "ak_orders")
	err := run(t.Context(), []string{redirecting.URL}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("got %v, want the redirect itself", err)
	}
	if clerk.CallsTo("createM2MToken") != 1 {
		t.Error("no token was minted")
	}
}

// serveBilling is a callee that Require guards.
func serveBilling(t *testing.T, clerk *m2mtest.Server) *httptest.Server {
	auth, err := authn.New(clerk.MachineClient(program.MachineID(t, clerk, "billing")))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(auth.Require(authn.M2MToken)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := authn.M2MFromContext(r.Context())
		fmt.Fprint(w, "report for ", caller.MachineID)
	})))
	t.Cleanup(server.Close)
	t.Cleanup(func() { _ = auth.Close() })
	return server
}
