// Command consumer is a service as a user writes it, in a module of its own: it shows what importing the library
// takes. It answers machines with what another service says, which it asks as the machine that it is.
//
//	CLERK_MACHINE_SECRET_KEY=ak_... consumer 127.0.0.1:8080 https://billing.internal/report
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/m2mauth/clerk-m2m/authn"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: consumer ADDRESS URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr, url string) error {
	clerk, err := wrapper.New()
	if err != nil {
		return err
	}
	auth, err := authn.New(clerk)
	if err != nil {
		return err
	}
	defer auth.Close()
	tokens := clerk.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer tokens.Close()

	relay := &relay{url: url, client: &http.Client{Transport: tokens.Transport(nil), Timeout: 10 * time.Second}}
	server := &http.Server{
		Addr:              addr,
		Handler:           auth.Require(authn.M2MToken)(relay),
		ReadHeaderTimeout: 5 * time.Second,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type relay struct {
	url    string
	client *http.Client
}

func (s *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	machine, _ := authn.M2MFromContext(r.Context()) // there behind Require(authn.M2MToken)
	body, err := s.fetch(r.Context())
	var refused *wrapper.APIError
	switch {
	case errors.As(err, &refused):
		log.Printf("no token for %s: %v (trace %s)", s.url, refused, refused.TraceID)
		http.Error(w, "cannot authenticate to the upstream service", http.StatusBadGateway)
	case err != nil:
		log.Print(err)
		http.Error(w, "the upstream service failed", http.StatusBadGateway)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"for": machine.MachineID, "upstream": body})
	}
}

func (s *relay) fetch(ctx context.Context) (any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var body any
	return body, json.NewDecoder(resp.Body).Decode(&body)
}
