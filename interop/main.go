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
	signal.Ignore(syscall.SIGPIPE) // a reader who has seen enough must not leave Prism running
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &report{out: os.Stdout}
	if runVersions(r); r.failed > 0 {
		return r.close() // nothing else would say more
	}
	for _, part := range []func(){
		func() { runPrism(ctx, r, spec) },
		func() {
			runOperations(ctx, r, clerkBackend, generated.Operations(), runJSSDK, "m2m.verify opaque by the machine that is called")
		},
		func() {
			runOperations(ctx, r, clerkSDKGo, without(generated.Operations(), generated.OpVerifyOAuthAccessToken.ID), runGoSDK, "m2m_token.Verify opaque")
		},
		func() { runTokens(ctx, r) },
	} {
		if part(); ctx.Err() != nil {
			return fmt.Errorf("ended before its end: %w", context.Cause(ctx))
		}
	}
	return r.close()
}
