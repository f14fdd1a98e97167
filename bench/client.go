package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	clerkm2m "github.com/clerk/clerk-sdk-go/v2/m2m_token"
	"golang.org/x/oauth2"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// mint is the smallest backend that creates a token, so that the client is what is measured.
func mint(count *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := count.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		now := time.Now().UnixMilli()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"object":"machine_to_machine_token","id":"mt_%032x","subject":%q,"claims":null,"scopes":[%q],"token":"mt_bench%d",`+
			`"revoked":false,"revocation_reason":null,"expired":false,"expiration":%d,"last_used_at":null,"created_at":%d,"updated_at":%d}`,
			n, caller, callee, n, now+3_600_000, now, now)
	})
}

// clientSection compares one creation over loopback.
func clientSection() (section, error) {
	var count atomic.Int64
	srv := httptest.NewServer(mint(&count))
	defer srv.Close()
	ctx := context.Background()
	ours, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL(srv.URL), wrapper.WithMachineSecretKey("ak_bench"))
	if err != nil {
		return section{}, err
	}
	theirs := clerkm2m.NewClient(&clerk.ClientConfig{BackendConfig: clerk.BackendConfig{
		Key: clerk.String("ak_bench"), URL: clerk.String(srv.URL + "/v1"),
	}})
	params := wrapper.CreateM2MTokenParams{SecondsUntilExpiration: new(int64(3600))}
	return compare("One M2M token created over loopback", "The first row is net/http and encoding/json by hand.",
		contender{"by hand", func() error { return createByHand(ctx, srv.URL) }},
		contender{"wrapper M2MTokens.Create", func() error {
			_, err := ours.M2MTokens.Create(ctx, params)
			return err
		}},
		contender{"clerk-sdk-go v2.7.0", func() error {
			_, err := theirs.Create(ctx, &clerkm2m.CreateParams{SecondsUntilExpiration: new(int64(3600))})
			return err
		}},
	)
}

func createByHand(ctx context.Context, base string) error {
	body, err := json.Marshal(map[string]int64{"seconds_until_expiration": 3600})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/m2m_tokens", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer ak_bench")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	var token wrapper.M2MToken
	return json.NewDecoder(resp.Body).Decode(&token)
}

// tokenSourceSections measure Token() on a live token, and count what a crowd mints.
func tokenSourceSections() ([]section, string, error) {
	var count atomic.Int64
	srv := httptest.NewServer(mint(&count))
	defer srv.Close()
	ours, err := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL(srv.URL), wrapper.WithMachineSecretKey("ak_bench"))
	if err != nil {
		return nil, "", err
	}
	source := ours.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{})
	defer source.Close()
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 1000 {
		wg.Go(func() {
			for range 1000 {
				if _, err := source.Token(); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	crowd := fmt.Sprintf("1,000 goroutines x 1,000 calls minted %d token(s); %d calls failed.", count.Load(), failed.Load())
	reuse := oauth2.ReuseTokenSource(nil, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "mt_bench", Expiry: time.Now().Add(time.Hour)}))
	var sections []section
	for _, goroutines := range []int{1, 2, 1000} {
		s, err := compareParallel(fmt.Sprintf("Token() of a live token, %d goroutine(s)", goroutines), crowd, goroutines,
			contender{"oauth2.ReuseTokenSource", func() error { _, err := reuse.Token(); return err }},
			contender{"wrapper TokenSource", func() error { _, err := source.Token(); return err }})
		if err != nil {
			return nil, "", err
		}
		sections = append(sections, s)
	}
	return sections, crowd, nil
}
