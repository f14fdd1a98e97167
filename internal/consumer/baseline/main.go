// Command baseline is the program of the folder above without the library: it authenticates nobody and is nobody.
// What the library adds to a binary is measured against it.
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
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: baseline ADDRESS URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr, url string) error {
	relay := &relay{url: url, client: &http.Client{Timeout: 10 * time.Second}}
	server := &http.Server{Addr: addr, Handler: relay, ReadHeaderTimeout: 5 * time.Second}
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
	body, err := s.fetch(r.Context())
	if err != nil {
		log.Print(err)
		http.Error(w, "the upstream service failed", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"upstream": body})
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
