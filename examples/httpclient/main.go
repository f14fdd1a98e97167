// Command httpclient is two services that speak HTTP: billing serves a report to machines, and orders fetches it.
//
//	CLERK_MACHINE_SECRET_KEY=(billing's) httpclient serve 127.0.0.1:8080
//	CLERK_MACHINE_SECRET_KEY=(orders')   httpclient fetch http://127.0.0.1:8080/report
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
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
	if len(args) != 2 {
		return errors.New("usage: httpclient serve ADDRESS | fetch URL")
	}
	client, err := wrapper.New() // CLERK_MACHINE_SECRET_KEY
	if err != nil {
		return err
	}
	switch args[0] {
	case "serve":
		return serve(ctx, client, args[1], out)
	case "fetch":
		return fetch(ctx, client, args[1], out)
	}
	return fmt.Errorf("httpclient cannot %q: serve or fetch", args[0])
}

// serve answers machines until the context ends.
func serve(ctx context.Context, client *wrapper.Client, addr string, out io.Writer) error {
	auth, err := authn.New(client)
	if err != nil {
		return err
	}
	defer auth.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /report", auth.Require(authn.M2MToken)(http.HandlerFunc(report)))

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on %s\n", listener.Addr())

	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func report(w http.ResponseWriter, r *http.Request) {
	caller, _ := authn.M2MFromContext(r.Context()) // always there behind Require(authn.M2MToken)
	fmt.Fprintln(w, "report for", caller.MachineID)
}

// fetch gets a URL with this machine's token. A service makes the TokenSource and the http.Client once, when it starts.
func fetch(ctx context.Context, client *wrapper.Client, url string, out io.Writer) error {
	tokens := client.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()
	billing := &http.Client{Transport: tokens.Transport(nil), Timeout: 20 * time.Second}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := billing.Do(req)
	if err != nil {
		return err // a *wrapper.TokenError where there was no token to send
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
