package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// serve answers machines until the context ends. Refusals are traced too, since the handler of otelhttp is outermost.
func (t telemetry) serve(ctx context.Context, client *wrapper.Client, addr string, out io.Writer) error {
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

	server := &http.Server{Handler: t.handler(mux), ReadHeaderTimeout: 5 * time.Second}
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

// fetch gets a URL with this machine's token. The transport of otelhttp is below that of the tokens, so that a request
// that is sent again with a new token has a span of its own.
func (t telemetry) fetch(ctx context.Context, client *wrapper.Client, url string, out io.Writer) error {
	tokens := client.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()
	billing := &http.Client{Transport: tokens.Transport(t.transport(nil)), Timeout: 20 * time.Second}

	ctx, span := t.tracers.Tracer("orders").Start(ctx, "fetch")
	defer span.End()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := billing.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	_, err = io.Copy(out, resp.Body)
	return err
}
