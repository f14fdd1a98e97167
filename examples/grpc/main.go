// Command grpc is two services that speak gRPC over TLS: billing answers machines, and orders calls it. Their API is
// gRPC's own health service, so that the example needs no generated code.
//
//	CLERK_MACHINE_SECRET_KEY=(billing's) grpc serve ADDRESS CERT.pem KEY.pem
//	CLERK_MACHINE_SECRET_KEY=(orders')   grpc check ADDRESS CA.pem
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	client, err := wrapper.New() // CLERK_MACHINE_SECRET_KEY
	if err != nil {
		return err
	}
	switch {
	case len(args) == 4 && args[0] == "serve":
		return serve(ctx, client, args[1], args[2], args[3], out)
	case len(args) == 3 && args[0] == "check":
		return check(ctx, client, args[1], args[2])
	}
	return errors.New("usage: grpc serve ADDRESS CERT.pem KEY.pem | check ADDRESS CA.pem")
}
