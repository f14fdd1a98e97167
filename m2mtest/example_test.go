package m2mtest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// In a test, NewServer(t) starts the server and ends it. This is the same without a test.
func Example() {
	clerk, err := m2mtest.New()
	if err != nil {
		log.Fatal(err)
	}
	if err := clerk.Start("127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	defer clerk.Close()

	billing := clerk.AddMachine("billing")
	orders := clerk.AddMachine("orders", billing.ID) // may call billing

	ctx := context.Background()
	token, err := clerk.MachineClient(orders.ID).M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{})
	if err != nil {
		log.Fatal(err)
	}
	caller, err := clerk.MachineClient(billing.ID).M2MTokens.Verify(ctx, string(token.Token))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("called by orders:", caller.Subject == orders.ID)

	clerk.Advance(2 * time.Hour)
	_, err = clerk.MachineClient(billing.ID).M2MTokens.Verify(ctx, string(token.Token))
	fmt.Println("found two hours later:", !errors.Is(err, wrapper.ErrNotFound))
	fmt.Printf("%d token, %d verifications\n", clerk.Cost().M2MTokensCreated, clerk.Cost().OpaqueVerifications)
	// Output:
	// called by orders: true
	// found two hours later: false
	// 1 token, 2 verifications
}

// The first call is answered 503, and the client tries again.
func ExampleServer_Faults() {
	clerk, err := m2mtest.New()
	if err != nil {
		log.Fatal(err)
	}
	if err := clerk.Start("127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	defer clerk.Close()

	clerk.Faults(m2mtest.Fault{Operation: "ListMachines", Status: 503, Count: 1})
	list, err := clerk.Client().Machines.List(context.Background(), wrapper.ListMachinesParams{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(list.TotalCount, "machine")
	for _, call := range clerk.Calls() {
		fmt.Println(call)
	}
	// Output:
	// 1 machine
	// GET /v1/machines 503 ListMachines
	// GET /v1/machines 200 ListMachines
}

// A token that is good but for one thing.
func ExampleServer_MintJWT() {
	clerk, err := m2mtest.New(m2mtest.WithSeed(1))
	if err != nil {
		log.Fatal(err)
	}
	caller := clerk.Machine().ID
	tokens := map[string]string{
		"good":           clerk.MintJWT(caller),
		"expired":        clerk.MintJWT(caller, m2mtest.ExpiresIn(-time.Minute)),
		"never expires":  clerk.MintJWT(caller, m2mtest.WithoutClaim("exp")),
		"forged":         clerk.MintJWT(caller, m2mtest.ForeignKey()),
		"another type":   clerk.MintJWT(caller, m2mtest.Header("typ", "at+jwt")),
		"key confusion":  clerk.MintJWT(caller, m2mtest.Algorithm("HS256")),
		"member twice":   clerk.MintJWT(caller, m2mtest.RawPayload(`{"sub":"mch_a","sub":"mch_b"}`)),
		"wrong audience": clerk.MintJWT(caller, m2mtest.Claim("aud", []string{"mch_other"})),
	}
	fmt.Println(len(tokens), "tokens")
	// Output: 8 tokens
}
