package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/m2mauth/clerk-m2m/m2mtest"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// One machine mints a token, and the machine that it calls asks Clerk who is calling.
func Example() {
	clerk, orders, billing := exampleClerk() // stands for Clerk
	defer clerk.Close()
	ctx := context.Background()

	// In production: wrapper.New() with CLERK_MACHINE_SECRET_KEY set.
	caller, err := wrapper.New(wrapper.WithMachineSecretKey(string(orders.SecretKey)), wrapper.WithBaseURL(clerk.URL()))
	if err != nil {
		log.Fatal(err)
	}
	token, err := caller.M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("for logs:", token.Token)

	callee, err := wrapper.New(wrapper.WithMachineSecretKey(string(billing.SecretKey)), wrapper.WithBaseURL(clerk.URL()))
	if err != nil {
		log.Fatal(err)
	}
	verified, err := callee.M2MTokens.Verify(ctx, string(token.Token)) // string() gives the value
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("called by orders:", verified.Subject == orders.ID)
	// Output:
	// for logs: [redacted]
	// called by orders: true
}

// A token that was revoked is not found any more.
func ExampleM2MTokens_Verify() {
	clerk, orders, billing := exampleClerk()
	defer clerk.Close()
	ctx := context.Background()

	token := clerk.MintM2M(orders.ID)
	reason := "rotated"
	if _, err := clerk.MachineClient(orders.ID).M2MTokens.Revoke(ctx, token.ID, wrapper.RevokeM2MTokenParams{RevocationReason: &reason}); err != nil {
		log.Fatal(err)
	}
	_, err := clerk.MachineClient(billing.ID).M2MTokens.Verify(ctx, string(token.Token))
	switch {
	case err == nil:
		fmt.Println("live")
	case errors.Is(err, wrapper.ErrNotFound), errors.Is(err, wrapper.ErrInactiveToken):
		fmt.Println("refuse the caller")
	default:
		fmt.Println("cannot tell:", err)
	}
	// Output: refuse the caller
}

// One client acts for several machines when each call brings the key of its own.
func ExampleMachineSecretKey() {
	clerk, orders, billing := exampleClerk()
	defer clerk.Close()
	ctx := context.Background()

	client, err := wrapper.New(wrapper.WithBaseURL(clerk.URL()), wrapper.WithoutEnv())
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range []m2mtest.Machine{orders, billing} {
		token, err := client.M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{}, wrapper.MachineSecretKey(string(m.SecretKey)))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Name, token.Subject == m.ID)
	}
	// Output:
	// orders true
	// billing true
}

// All fetches the pages as they are needed. The instance's secret key manages the machines.
func ExampleMachines_All() {
	clerk, _, _ := exampleClerk()
	defer clerk.Close()
	client, err := wrapper.New(wrapper.WithSecretKey(clerk.SecretKey()), wrapper.WithBaseURL(clerk.URL()))
	if err != nil {
		log.Fatal(err)
	}

	order := "name"
	for machine, err := range client.Machines.All(context.Background(), wrapper.ListMachinesParams{OrderBy: &order}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(machine.Name)
	}
	// Output:
	// billing
	// default
	// orders
}

// A new secret key, while the old one stays valid for an hour to be replaced where it is deployed.
func ExampleMachines_RotateSecretKey() {
	clerk, orders, _ := exampleClerk()
	defer clerk.Close()
	ctx := context.Background()

	secret, err := clerk.Client().Machines.RotateSecretKey(ctx, orders.ID, wrapper.RotateMachineSecretKeyParams{PreviousTokenTTL: 3600})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{string(orders.SecretKey), string(secret)} {
		_, err := clerk.Client().M2MTokens.Create(ctx, wrapper.CreateM2MTokenParams{}, wrapper.MachineSecretKey(key))
		fmt.Println("accepted:", err == nil)
	}
	// Output:
	// accepted: true
	// accepted: true
}

// What failed is told by errors.Is, and APIError has what Clerk said.
func ExampleAPIError() {
	clerk, orders, billing := exampleClerk()
	defer clerk.Close()

	_, err := clerk.Client().Machines.AddScope(context.Background(), orders.ID, billing.ID)
	if errors.Is(err, wrapper.ErrConflict) {
		fmt.Println("orders may call billing already")
	}
	var apiErr *wrapper.APIError
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.Operation, apiErr.Status, apiErr.Codes(), apiErr.TraceID != "")
	}
	// Output:
	// orders may call billing already
	// CreateMachineScope 409 [machine_scope_already_exists] true
}

// An operation is not sent with a credential that it does not take.
func ExampleCredentialError() {
	client, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithMachineSecretKey("ak_example"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Keys.JWKS(context.Background())
	fmt.Println(err)
	// Output: clerk: GetJWKS takes the instance's secret key, and the client has only a machine's secret key; set CLERK_SECRET_KEY or use WithSecretKey
}

// A request editor changes each request before it is sent.
func ExampleWithRequestEditor() {
	clerk, _, _ := exampleClerk()
	defer clerk.Close()

	client := clerk.Client(wrapper.WithRequestEditor(func(_ context.Context, req *http.Request) error {
		fmt.Println(req.Method, req.URL.Path)
		req.Header.Set("X-Request-Id", "42")
		return nil
	}))
	if _, err := client.Keys.JWKS(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: GET /v1/jwks
}

// The attempt hook counts what is sent, retries included.
func ExampleWithAttemptHook() {
	clerk, _, _ := exampleClerk()
	defer clerk.Close()
	clerk.Faults(m2mtest.Fault{Status: http.StatusServiceUnavailable, Count: 1})

	client := clerk.Client(wrapper.WithAttemptHook(func(_ context.Context, a wrapper.Attempt) {
		fmt.Println(a.Operation, a.Number, a.Status, a.Retry > 0)
	}))
	if _, err := client.Keys.JWKS(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// GetJWKS 1 503 true
	// GetJWKS 2 200 false
}

// API gives the generated client, with the same credentials, retries and limits, for what the wrapper does not offer.
func ExampleClient_API() {
	clerk, _, _ := exampleClerk()
	defer clerk.Close()

	resp, err := clerk.Client().API().GetJWKS(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"))
	// Output: 200 application/json
}
