package authn

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// ErrorHandler answers a request that is rejected. The headers that say why (WWW-Authenticate, Retry-After,
// x-clerk-auth-*) are set already; it writes the status and a body. The State's Message and Err are for
// logs: they are not to be sent.
type ErrorHandler func(w http.ResponseWriter, r *http.Request, s *State, status int)

func writeStatus(w http.ResponseWriter, _ *http.Request, _ *State, status int) {
	http.Error(w, http.StatusText(status), status)
}

type contextKey struct{}

// FromContext gives the State that Require or Attach put into a request's context.
func FromContext(ctx context.Context) (*State, bool) {
	s, ok := ctx.Value(contextKey{}).(*State)
	return s, ok
}

func authFrom[T Auth](ctx context.Context) (auth T, ok bool) {
	if s, found := FromContext(ctx); found {
		auth, ok = s.Auth.(T)
	}
	return auth, ok
}

// M2MFromContext gives the machine that is signed in; false when none is.
func M2MFromContext(ctx context.Context) (*M2MAuth, bool) { return authFrom[*M2MAuth](ctx) }

// APIKeyFromContext gives the API key that is signed in; false when none is.
func APIKeyFromContext(ctx context.Context) (*APIKeyAuth, bool) { return authFrom[*APIKeyAuth](ctx) }

// OAuthFromContext gives the OAuth client and user that are signed in; false when none are.
func OAuthFromContext(ctx context.Context) (*OAuthAuth, bool) { return authFrom[*OAuthAuth](ctx) }

// SessionFromContext gives the user that is signed in; false when none is.
func SessionFromContext(ctx context.Context) (*SessionAuth, bool) { return authFrom[*SessionAuth](ctx) }

// Require lets only authenticated requests pass, with their State in the context; see [FromContext]. Others are
// answered
//   - 401 with a bare Bearer challenge when they carry no token, and with error="invalid_token" when
//     it is wrong (RFC 6750 section 3);
//   - 403 with error="insufficient_scope" when the caller is known and not allowed;
//   - 503 with Retry-After when nothing can be known now: [ErrCannotDecide];
//   - 500 when a credential is missing in the configuration, which is logged, also at once by Require.
//
// The x-clerk-auth-status and x-clerk-auth-reason headers say more. [WithErrorHandler] changes the body.
func (a *Authenticator) Require(accept ...TokenType) func(http.Handler) http.Handler {
	set, err := a.accepts(accept)
	if err != nil {
		a.log.Error("authn: Require: every request will be answered 500", "error", err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err != nil {
				a.log.ErrorContext(r.Context(), "authn: request not authenticated", "error", err)
				a.reject(w, r, deny("", ReasonUnexpectedError, err), http.StatusInternalServerError)
				return
			}
			s := a.authenticateRequest(r, set)
			if s.Status != SignedIn {
				a.reject(w, r, s, statusFor(s.Err))
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
		})
	}
}

// Attach puts every request's State into its context and lets it pass, for handlers that also serve callers who are
// not signed in. A credential that is missing in the configuration is logged, and is the State's Err.
func (a *Authenticator) Attach(accept ...TokenType) func(http.Handler) http.Handler {
	set, err := a.accepts(accept)
	if err != nil {
		a.log.Error("authn: Attach: no request will be signed in", "error", err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var s *State
			if err != nil {
				s = deny("", ReasonUnexpectedError, err)
			} else {
				s = a.authenticateRequest(r, set)
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
		})
	}
}

func (a *Authenticator) reject(w http.ResponseWriter, r *http.Request, s *State, status int) {
	h := w.Header()
	switch status {
	case http.StatusUnauthorized:
		challenge := `Bearer error="invalid_token"`
		if errors.Is(s.Err, ErrNoToken) {
			challenge = "Bearer"
		}
		h.Set("WWW-Authenticate", challenge)
	case http.StatusForbidden:
		h.Set("WWW-Authenticate", `Bearer error="insufficient_scope"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(retryAfter(s.Err)))
	}
	h.Set("X-Clerk-Auth-Status", string(s.Status))
	h.Set("X-Clerk-Auth-Reason", string(s.Reason))
	a.errorHandler(w, r, s, status)
}

// statusFor is what a denial means in HTTP (RFC 6750 section 3.1, RFC 9110 section 15.6.4).
func statusFor(err error) int {
	switch {
	case errors.Is(err, ErrCannotDecide):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// maxRetryAfter bounds how long a caller is sent away, whatever Clerk says.
const maxRetryAfter = time.Minute

// retryAfter is when the caller should come back, in seconds: when Clerk said that we should, else soon.
func retryAfter(err error) int {
	wait := time.Second
	if api, ok := errors.AsType[*wrapper.APIError](err); ok {
		wait = max(wait, min(api.RetryAfter, maxRetryAfter))
	}
	return int((wait + time.Second - 1) / time.Second)
}
