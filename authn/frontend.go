package authn

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// maxJWKS bounds the body of a key set.
const maxJWKS = 1 << 20

// frontendURL gives the base URL of the Frontend API that a publishable key names: pk_live_ or pk_test_,
// then the host and a "$" in base64. Plain http is only for a host of this machine, such as an emulator's.
func frontendURL(publishableKey string) (string, error) {
	encoded, ok := strings.CutPrefix(publishableKey, "pk_live_")
	if !ok {
		if encoded, ok = strings.CutPrefix(publishableKey, "pk_test_"); !ok {
			return "", errors.New("a publishable key begins with pk_live_ or pk_test_")
		}
	}
	decoded, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(encoded, "="))
	host, ok := strings.CutSuffix(string(decoded), "$")
	if err != nil || !ok || strings.ContainsAny(encoded, "\r\n") {
		return "", errors.New("the publishable key is damaged: copy it again from the Clerk dashboard")
	}
	u, err := url.Parse("https://" + host)
	if err != nil || u.Host != host || !validHost(u) {
		return "", errors.New("the publishable key names no valid host: copy it again from the Clerk dashboard")
	}
	if isLoopback(u.Hostname()) {
		u.Scheme = "http"
	}
	return u.String(), nil
}

func validHost(u *url.URL) bool {
	name := u.Hostname()
	if name == "" || len(name) > 253 || strings.HasSuffix(u.Host, ":") {
		return false
	}
	if isLoopback(name) {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil || u.Port() != "" || !strings.Contains(name, ".") {
		return false // Clerk's Frontend API is served at a name, on the usual port
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// fetchFrontendKeys fetches the public key set of the Frontend API. No credential goes with it.
func fetchFrontendKeys(client *http.Client, base string) func(context.Context) (map[string]*publicKey, error) {
	client = &http.Client{
		Transport:     client.Transport,
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) (map[string]*publicKey, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/.well-known/jwks.json", nil)
		if err != nil {
			return nil, err
		}
		req.Close = true // the next one is minutes away, and nothing is to be left running
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		return readKeys(resp)
	}
}

// fetchInstanceKeys fetches the key set with the instance's secret key. It reads the raw reply, so that
// one key that is not as the spec has it does not take the others along.
func fetchInstanceKeys(client *wrapper.Client) func(context.Context) (map[string]*publicKey, error) {
	return func(ctx context.Context) (map[string]*publicKey, error) {
		resp, err := client.API().GetJWKS(ctx)
		if err != nil {
			return nil, err
		}
		return readKeys(resp)
	}
}

func readKeys(resp *http.Response) (map[string]*publicKey, error) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &wrapper.APIError{Operation: "GetJWKS", Status: resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxJWKS {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxJWKS)
	}
	return parseJWKS(body)
}
