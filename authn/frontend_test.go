package authn

import (
	"encoding/base64"
	"testing"
)

func TestPublishableKeys(t *testing.T) {
	t.Parallel()
	key := func(prefix, host string) string { return prefix + base64.StdEncoding.EncodeToString([]byte(host)) }
	for key, want := range map[string]string{
		"pk_live_Y2xlcmsuYXBwLmV4YW1wbGUuY29tJA==":      "https://clerk.app.example.com",
		"pk_live_Y2xlcmsuYXBwLmV4YW1wbGUuY29tJA":        "https://clerk.app.example.com",
		key("pk_test_", "a-1.clerk.accounts.dev$"):      "https://a-1.clerk.accounts.dev",
		key("pk_test_", "127.0.0.1:8080$"):              "http://127.0.0.1:8080",
		key("pk_test_", "localhost:8080$"):              "http://localhost:8080",
		key("pk_test_", "[::1]:8080$"):                  "http://[::1]:8080",
		key("sk_live_", "clerk.example.com$"):           "",
		key("pk_prod_", "clerk.example.com$"):           "",
		key("pk_live_", "clerk.example.com"):            "",
		key("pk_live_", "$"):                            "",
		key("pk_live_", "clerk.example.com:443$"):       "",
		key("pk_live_", "user@clerk.example.com$"):      "",
		key("pk_live_", "clerk.example.com/x$"):         "",
		key("pk_live_", "clerk.example.com?x$"):         "",
		key("pk_live_", "clerk.example.com#x$"):         "",
		key("pk_live_", "clerk..example.com$"):          "",
		key("pk_live_", "-clerk.example.com$"):          "",
		key("pk_live_", "clerk.example.com.$"):          "",
		key("pk_live_", "clerk$"):                       "",
		key("pk_live_", "192.0.2.1$"):                   "",
		key("pk_live_", "[::1%25lo]:80$"):               "",
		key("pk_live_", "localhost:$"):                  "",
		key("pk_live_", "localhost.evil.example:8080$"): "",
		key("pk_live_", "cl%65rk.example.com$"):         "",
		key("pk_live_", "cl\u00e9rk.example.com$"):      "",
		key("pk_live_", "clerk.example.com$") + "\n":    "",
		"": "",
	} {
		if got, err := frontendURL(key); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", key, got, err, want)
		}
	}
}
