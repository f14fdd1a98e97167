package wrapper

import (
	"net/url"
	"testing"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []hostTest{
		{"billing.internal", "https://billing.internal/x", true, false},
		{"billing.internal", "https://BILLING.internal:8443/x", true, false},
		{"billing.internal", "https://billing.internal.example.com/", false, false},
		{"billing.internal", "https://xbilling.internal/", false, false},
		{"billing.internal", "https://billing.internal@example.com/", false, false},
		{"billing.internal:8443", "https://billing.internal:8443/", true, false},
		{"billing.internal:8443", "https://billing.internal/", false, false},
		{"billing.internal:443", "https://billing.internal/", true, false},
		{"billing.internal:80", "http://billing.internal/", true, false},
		{"http://billing.internal", "http://billing.internal:8080/", true, true},
		{"http://billing.internal:8080", "http://billing.internal/", false, true},
		{"https://billing.internal/", "https://billing.internal/", true, false},
		{"::1", "http://[::1]:8080/", true, false},
		{"[::1]", "http://[::1]:8080/", true, false},
		{"[::1]:8080", "http://[::1]:8080/", true, false},
		{"", "https://billing.internal/", false, false},
		{"%zz", "https://%zz/", false, false},
	} {
		t.Run(tt.name+" "+tt.url, tt.run)
	}
}

type hostTest struct {
	name, url  string
	has, clear bool
}

func (tt hostTest) run(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(tt.url)
	if err != nil {
		u = &url.URL{Scheme: "https"}
	}
	h := parseHost(tt.name)
	if got := h.has(u); got != tt.has || h.clear != tt.clear {
		t.Errorf("has it: %t, in the clear: %t; want %t, %t", got, h.clear, tt.has, tt.clear)
	}
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"https://a/x", "https://A:443/y", true},
		{"http://a", "http://a:80", true},
		{"https://a", "http://a", false},
		{"https://a", "http://a:443", false},
		{"https://a:8443", "https://a", false},
		{"https://a", "https://b.a", false},
	} {
		a, errA := url.Parse(tt.a)
		b, errB := url.Parse(tt.b)
		if errA != nil || errB != nil || sameOrigin(a, b) != tt.want {
			t.Errorf("%s and %s: want %t", tt.a, tt.b, tt.want)
		}
	}
}
