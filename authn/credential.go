package authn

import (
	"net/http"
	"strings"
)

// sessionCookie is where Clerk's frontend keeps the session token of a browser.
const sessionCookie = "__session"

// requestToken takes the request's token: from the Authorization header, else, where session tokens
// are accepted, from the cookie. A request with several Authorization headers has none at all, since
// whatever reads it next may take another one than we do.
func requestToken(r *http.Request, accept typeSet) (token string, fromCookie bool) {
	headers := r.Header["Authorization"]
	if len(headers) > 1 {
		return "", false
	}
	if len(headers) == 1 {
		if t := headerToken(headers[0]); t != "" {
			return t, false
		}
	}
	if !accept.has(SessionToken) || len(r.Header["Cookie"]) == 0 {
		return "", false
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		return c.Value, true
	}
	return "", false
}

// headerToken takes the token out of an Authorization header's value (RFC 6750 section 2.1, RFC 9110
// section 11.1): the scheme is Bearer in any case, then at least one space, then one credential. A lone
// word is the token itself, as for Clerk's own SDK. "" means no token.
func headerToken(value string) string {
	value = strings.Trim(value, " \t")
	scheme, rest, found := strings.Cut(value, " ")
	if !found {
		if strings.EqualFold(value, "Bearer") || strings.ContainsAny(value, "\t,") {
			return ""
		}
		return value
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	rest = strings.TrimLeft(rest, " ")
	if strings.ContainsAny(rest, " \t,") {
		return ""
	}
	return rest
}
