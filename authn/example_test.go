package authn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// A handler that only machines reach.
func ExampleAuthenticator_Require() {
	client, err := wrapper.New(wrapper.WithMachineSecretKey("ak_example"), wrapper.WithBaseURL(exampleBackend()))
	if err != nil {
		panic(err)
	}
	auth, err := authn.New(client)
	if err != nil {
		panic(err)
	}
	reports := auth.Require(authn.M2MToken)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		machine, _ := authn.M2MFromContext(r.Context())
		fmt.Fprintln(w, "hello,", machine.Subject)
	}))

	r := httptest.NewRequest(http.MethodGet, "/reports", nil)
	w := httptest.NewRecorder()
	reports.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))

	r.Header.Set("Authorization", "Bearer mt_example")
	w = httptest.NewRecorder()
	reports.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 401 Bearer
	// 200 hello, mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk
}

// Without the middleware the State says everything; a type switch tells who calls.
func ExampleAuthenticator_AuthenticateRequest() {
	client, err := wrapper.New(wrapper.WithSecretKey("sk_test_example"), wrapper.WithMachineSecretKey("ak_example"), wrapper.WithBaseURL(exampleBackend()))
	if err != nil {
		panic(err)
	}
	auth, err := authn.New(client, authn.WithAllowedMachines(machineA))
	if err != nil {
		panic(err)
	}
	for _, token := range []string{"mt_example", "ak_example_key", "mt_"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		state, err := auth.AuthenticateRequest(r, authn.M2MToken, authn.APIKey)
		if err != nil {
			panic(err) // a misconfiguration: no credential that could verify an accepted type
		}
		switch who := state.Auth.(type) {
		case *authn.M2MAuth:
			fmt.Println("machine", who.Subject)
		case *authn.APIKeyAuth:
			fmt.Println("user", who.UserID)
		default:
			fmt.Println(state.Status, state.TokenType, state.Reason, errors.Is(state.Err, authn.ErrCannotDecide))
		}
	}
	// Output:
	// machine mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk
	// signed-out api_key unexpected-error true
	// signed-out m2m_token token-invalid false
}

// A token that comes by another way than HTTP, such as with a message of a queue.
func ExampleAuthenticator_AuthenticateToken() {
	client, err := wrapper.New(wrapper.WithMachineSecretKey("ak_example"), wrapper.WithBaseURL(exampleBackend()))
	if err != nil {
		panic(err)
	}
	auth, err := authn.New(client)
	if err != nil {
		panic(err)
	}
	state, err := auth.AuthenticateToken(context.Background(), "mt_example", authn.M2MToken)
	if err != nil {
		panic(err)
	}
	fmt.Println(state.Status, state.Auth.(*authn.M2MAuth).Scopes)
	// Output: signed-in [mch_2yGkLpQ7Y3rXSwtU24CzTk9I7Em]
}

// exampleBackend stands for Clerk: it knows one M2M token, and is out of order for the rest.
func exampleBackend() string {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/v1/m2m_tokens/verify" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, m2mReply(""))
	})).URL
}
