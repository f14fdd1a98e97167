package wrapper

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Transport gives requests the source's token: it clones each one and sets its Authorization header. base sends them;
// nil is [http.DefaultTransport].
//
// The token goes only to the hosts of [WithHosts], or without that to the host of the first hop: a redirect to another
// host or port goes without it. A request that has an Authorization header already keeps it. Over plain http a request
// is refused that would carry the token, unless the host is this machine or WithHosts says otherwise.
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
	if err != nil {
		return resp, err
	}
	if !refused(resp) || !t.source.refuse(token) {
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
func (t *tokenTransport) send(req *http.Request) (*http.Response, *liveToken, error) {
	token, err := t.source.live(req.Context())
	if err != nil {
		closeBody(req)
		return nil, nil, err
	}
	clone := req.Clone(req.Context())
	if clone.Header == nil {
		clone.Header = http.Header{}
	}
	clone.Header.Set("Authorization", "Bearer "+token.token.AccessToken)
	resp, err := t.base.RoundTrip(clone)
	if err != nil {
		return resp, token, err
	}
	if resp.Request == nil {
		resp.Request = clone // what a redirect is followed back by
	}
	if resp.StatusCode/100 == 2 && !token.accepted.Load() {
		token.accepted.Store(true)
	}
	return resp, token, nil
}

// gives decides whether a request gets the token. The error is for one that would show it to others on the way.
func (t *tokenTransport) gives(req *http.Request) (bool, error) {
	if req.URL == nil {
		return false, errors.New("clerk: a request without a URL")
	}
	if req.Header.Get("Authorization") != "" {
		return false, nil
	}
	toHost, inClear := t.source.names(req.URL)
	if len(t.source.hosts) == 0 {
		first := firstHop(req)
		toHost = first != nil && sameOrigin(first.URL, req.URL)
	}
	if toHost && !inClear && !secure(req.URL) {
		return false, fmt.Errorf("clerk: %s://%s would get the token in the clear; use https, or where the network is trusted WithHosts(%q)",
			req.URL.Scheme, req.URL.Host, "http://"+req.URL.Host)
	}
	return toHost, nil
}

// names tells whether [WithHosts] names the host of a URL, and whether also for plain http.
func (s *TokenSource) names(u *url.URL) (named, inClear bool) {
	for _, h := range s.hosts {
		if h.has(u) {
			named, inClear = true, inClear || h.clear
		}
	}
	return named, inClear
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
