package wrapper

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Transport gives requests the source's token: it clones each one and sets its Authorization header. base sends them;
// nil is [http.DefaultTransport].
//
// The token goes only to the hosts of [WithHosts], or without that to the host of the first hop: a redirect to another
// host or port goes without it. A request that has an Authorization header already keeps it. Plain http is refused
// unless the host is this machine, or is named with WithHosts.
//
// A callee that answers 401 with the challenge error="invalid_token" (RFC 6750, section 3.1) has the token dropped, and
// the request is sent once more with a new one if its body can be read again ([http.Request.GetBody]).
func (s *TokenSource) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &tokenTransport{source: s, base: base}
}

type tokenTransport struct {
	source *TokenSource
	base   http.RoundTripper
}

// maxDrain is how much of a refusal is read so that its connection can be used again.
const maxDrain = 64 << 10

// RoundTrip implements [http.RoundTripper].
func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	give, err := t.gives(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	if !give {
		return t.base.RoundTrip(req)
	}
	resp, token, err := t.send(req)
	if err != nil || !refused(resp) {
		return resp, err
	}
	if !t.source.invalidate(token) {
		return resp, nil
	}
	again, ok := replay(req)
	if !ok {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	_ = resp.Body.Close()
	resp, _, err = t.send(again)
	return resp, err
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] reach the base.
func (t *tokenTransport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Format implements [fmt.Formatter]: whatever the verb, it does not reach the source's state.
func (t *tokenTransport) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "wrapper.TokenSource.Transport")
}

// send sends a clone of the request with the token, and gives the token too.
func (t *tokenTransport) send(req *http.Request) (*http.Response, string, error) {
	token, err := t.source.live(req.Context())
	if err != nil {
		closeBody(req)
		return nil, "", err
	}
	clone := req.Clone(req.Context())
	clone.Header.Set("Authorization", "Bearer "+token.AccessToken)
	resp, err := t.base.RoundTrip(clone)
	if resp != nil && resp.Request == nil {
		resp.Request = clone // what a redirect is followed back by
	}
	return resp, token.AccessToken, err
}

// gives decides whether a request gets the token. The error is for one that would show it to others on the way.
func (t *tokenTransport) gives(req *http.Request) (bool, error) {
	if req.URL == nil {
		return false, errors.New("clerk: a request without a URL")
	}
	if req.Header.Get("Authorization") != "" {
		return false, nil
	}
	if len(t.source.hosts) > 0 {
		return slices.ContainsFunc(t.source.hosts, func(h string) bool {
			return strings.EqualFold(h, req.URL.Host) || strings.EqualFold(h, req.URL.Hostname())
		}), nil
	}
	first := firstHop(req)
	if first == nil || !strings.EqualFold(first.URL.Host, req.URL.Host) || first.URL.Scheme != req.URL.Scheme {
		return false, nil
	}
	if !secure(req.URL) {
		return false, fmt.Errorf("clerk: %s://%s would get the token in the clear; use https, or name the host with WithHosts if the network is trusted", req.URL.Scheme, req.URL.Host)
	}
	return true, nil
}

// firstHop gives the request that redirects led here from, or nil when it cannot be told. A request that a redirect
// made has the response that redirected it, and that one its request.
func firstHop(req *http.Request) *http.Request {
	for req.Response != nil {
		req = req.Response.Request
		if req == nil || req.URL == nil {
			return nil
		}
	}
	return req
}

// refused tells whether a callee says that the token itself is at fault.
func refused(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	return slices.ContainsFunc(resp.Header.Values("Www-Authenticate"), func(challenge string) bool {
		scheme, params, _ := strings.Cut(strings.TrimSpace(challenge), " ")
		return strings.EqualFold(scheme, "Bearer") && invalidToken(params)
	})
}

// invalidToken finds error="invalid_token" among the parameters of a challenge, quoted or not.
func invalidToken(params string) bool {
	for param := range strings.SplitSeq(params, ",") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "error") && strings.Trim(strings.TrimSpace(value), `"`) == "invalid_token" {
			return true
		}
	}
	return false
}

// replay gives the request with its body from the start, if it can be had again.
func replay(req *http.Request) (*http.Request, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again := req.Clone(req.Context())
	again.Body = body
	return again, true
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
