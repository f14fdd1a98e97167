package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// However often a token is asked for, one is minted for each lifetime.
func ExampleTokenSource() {
	clerk, orders, _ := exampleClerk()
	defer clerk.Close()
	client := clerk.MachineClient(orders.ID) // wrapper.New() in production

	tokens := client.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 1000 {
		token, err := tokens.TokenContext(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if token.TokenType != "Bearer" || !token.Valid() {
			log.Fatal("not a live bearer token")
		}
	}
	fmt.Println("minted:", clerk.CallsTo("createM2MToken"))
	// Output: minted: 1
}

// Where many replicas share a machine, Clerk gives them one live opaque token if it has enough of its life left.
func ExampleM2MTokens_TokenSource_shared() {
	clerk, orders, _ := exampleClerk()
	defer clerk.Close()

	lifetime, remaining := int64(3600), int64(1200) // a third of it, so that a renewal, at 70 % or later, gives another token
	for replica := range 3 {
		tokens := clerk.MachineClient(orders.ID).M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{
			SecondsUntilExpiration: &lifetime,
			MinRemainingTTLSeconds: &remaining,
		})
		if _, err := tokens.Token(); err != nil {
			log.Fatal(err)
		}
		if err := tokens.Close(); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("replica %d: %d created so far\n", replica, clerk.Cost().M2MTokensCreated)
	}
	// Output:
	// replica 0: 1 created so far
	// replica 1: 1 created so far
	// replica 2: 1 created so far
}

// Without a live token, and without Clerk, the error says what the last attempt to mint one met.
func ExampleTokenError() {
	clerk, orders, _ := exampleClerk()
	defer clerk.Close()
	clerk.Faults(m2mtest.Fault{Operation: "createM2MToken", Status: http.StatusServiceUnavailable})

	tokens := clerk.MachineClient(orders.ID).M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()

	_, err := tokens.Token()
	if noToken, ok := errors.AsType[*wrapper.TokenError](err); ok {
		fmt.Println("no token; Clerk is unavailable:", errors.Is(noToken, wrapper.ErrUnavailable))
	}
	if cause, ok := errors.AsType[*wrapper.APIError](err); ok {
		fmt.Println(cause.Operation, cause.Status)
	}
	// Output:
	// no token; Clerk is unavailable: true
	// createM2MToken 503
}

// The Transport gives each request the token, and replaces one that a callee refuses.
func ExampleTokenSource_Transport() {
	clerk, orders, billing := exampleClerk()
	defer clerk.Close()
	auth, err := authn.New(clerk.MachineClient(billing.ID))
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	callee := httptest.NewServer(auth.Require(authn.M2MToken)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := authn.M2MFromContext(r.Context())
		fmt.Fprintln(w, "called by orders:", caller.MachineID == orders.ID)
	})))
	defer callee.Close()

	tokens := clerk.MachineClient(orders.ID).M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()
	client := &http.Client{Transport: tokens.Transport(nil), Timeout: 20 * time.Second}
	get := func() {
		resp, err := client.Get(callee.URL)
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(resp.StatusCode, " ", string(body))
	}
	get()

	ctx := context.Background()
	own := clerk.MachineClient(orders.ID).M2MTokens // a machine may list and revoke its own tokens
	for token, err := range own.All(ctx, wrapper.ListM2MTokensParams{Subject: orders.ID}) {
		if err != nil {
			log.Fatal(err)
		}
		if _, err := own.Revoke(ctx, token.ID, wrapper.RevokeM2MTokenParams{}); err != nil {
			log.Fatal(err)
		}
	}
	get()
	fmt.Println("minted:", clerk.CallsTo("createM2MToken"))
	// Output:
	// 200 called by orders: true
	// 200 called by orders: true
	// minted: 2
}

// exampleClerk starts a Clerk in memory where the machine orders may call the machine billing.
func exampleClerk() (clerk *m2mtest.Server, orders, billing m2mtest.Machine) {
	clerk, err := m2mtest.New()
	if err != nil {
		log.Fatal(err)
	}
	if err := clerk.Start("127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	billing = clerk.AddMachine("billing")
	return clerk, clerk.AddMachine("orders", billing.ID), billing
}
