// Interop runs the published peers of clerk-m2m, unchanged, against it, and it against them. It prints one line per
// check, then how many passed and failed, and fails when any did. It uses loopback only and no Clerk account.
//
//	npm ci && go run .
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// spec is what Prism serves.
const spec = "../openapi/machine-auth.yaml"

// limit ends a run that hangs, with the processes that it started.
const limit = 5 * time.Minute

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &report{out: os.Stdout}
	runVersions(r)
	runPrism(ctx, r, spec)
	runOperations(ctx, r, "@clerk/backend", generated.Operations(), runJSSDK)
	runOperations(ctx, r, "clerk-sdk-go", without(generated.Operations(), generated.OpVerifyOAuthAccessToken.ID), runGoSDK)
	runTokens(ctx, r)
	return r.close()
}
