package wrapper

import (
	"net"
	"net/url"
	"strings"
)

// host is a place that [WithHosts] names.
type host struct {
	name  string
	port  string // "": any
	clear bool   // whether plain http will do
}

func parseHost(s string) host {
	var h host
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		h.clear, s = strings.EqualFold(scheme, "http"), rest
	}
	if net.ParseIP(s) != nil { // an IPv6 address without brackets
		h.name = s
	} else if u, err := url.Parse("//" + s); err == nil {
		h.name, h.port = u.Hostname(), u.Port()
	}
	return h
}

// has tells whether a URL is at the host. A name that could not be parsed has none.
func (h host) has(u *url.URL) bool {
	return h.name != "" && strings.EqualFold(h.name, u.Hostname()) && (h.port == "" || h.port == port(u))
}

// sameOrigin tells whether two URLs have scheme, host and port in common (RFC 6454, section 5).
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}
