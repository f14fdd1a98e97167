package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/internal/strictjson"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// maxOpaque bounds an opaque token; Clerk's have about 40 characters.
const maxOpaque = 1024

// plausibleOpaque reports whether Clerk is worth being asked: something follows the prefix, in the
// alphabet of a bearer token (RFC 6750 section 2.1).
func plausibleOpaque(token string) bool {
	_, rest, _ := strings.Cut(token, "_")
	if rest == "" || len(token) > maxOpaque {
		return false
	}
	for i := range len(rest) {
		c := rest[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/=", rune(c)) {
			return false
		}
	}
	return true
}

// ask has Clerk verify a token. Requests for the same token at the same time share the call, and
// what it gives: nobody may change that. A JWT's own exp bounds what Clerk says; it is zero for others.
func (a *Authenticator) ask(ctx context.Context, kind TokenType, token string, d digest, exp time.Time) (Auth, error) {
	auth, err := a.flights.do(ctx, d, func(ctx context.Context) (Auth, error) {
		if auth := a.memory.recall(ctx, d); auth != nil { // by a call that ended while this one was begun
			return auth, nil
		}
		auth, err := a.verifyByClerk(ctx, kind, token)
		if err != nil {
			return nil, err
		}
		if m, ok := auth.(*M2MAuth); ok && !exp.IsZero() && (m.ExpiresAt.IsZero() || exp.Before(m.ExpiresAt)) {
			m.ExpiresAt = exp
		}
		if err := a.allowed(auth); err != nil { // before it is remembered
			return nil, err
		}
		a.memory.remember(d, auth, nil)
		return auth, nil
	})
	if err != nil {
		return nil, judge(err)
	}
	return auth, nil
}

func (a *Authenticator) verifyByClerk(ctx context.Context, kind TokenType, token string) (Auth, error) {
	switch kind {
	case M2MToken:
		t, err := a.client.M2MTokens.Verify(ctx, token)
		if err != nil {
			return nil, err
		}
		expires, err := a.alive(t.Revoked, t.Expired, t.Expiration)
		return &M2MAuth{
			ID: t.ID, Subject: t.Subject, Scopes: orEmpty(t.Scopes), Claims: customClaims(t.Claims),
			MachineID: t.Subject, ExpiresAt: expires,
		}, err
	case APIKey:
		k, err := a.client.APIKeys.Verify(ctx, token)
		if err != nil {
			return nil, err
		}
		expires, err := a.alive(k.Revoked, k.Expired, k.Expiration)
		auth := &APIKeyAuth{
			ID: k.ID, Subject: k.Subject, Name: k.Name, Scopes: orEmpty(k.Scopes), Claims: customClaims(k.Claims),
			ExpiresAt: expires,
		}
		switch prefix, _, _ := strings.Cut(k.Subject, "_"); prefix {
		case "user":
			auth.UserID = k.Subject
		case "org":
			auth.OrgID = k.Subject
		case "mch":
			auth.MachineID = k.Subject
		}
		return auth, err
	default:
		t, err := a.client.OAuthTokens.Verify(ctx, token)
		if err != nil {
			return nil, err
		}
		expires, err := a.alive(t.Revoked, t.Expired, t.Expiration)
		return &OAuthAuth{
			ID: t.ID, Subject: t.Subject, UserID: t.Subject, ClientID: t.ClientID, Scopes: orEmpty(t.Scopes),
			ExpiresAt: expires,
		}, err
	}
}

// alive believes a token that Clerk gave only if all it says of it agrees.
func (a *Authenticator) alive(revoked, expired bool, expiration *int64) (time.Time, error) {
	if revoked {
		return time.Time{}, ErrTokenDead
	}
	var expires time.Time
	if expiration != nil {
		expires = time.UnixMilli(*expiration)
	}
	if expired || expiration != nil && !a.now().Before(expires) {
		return time.Time{}, fmt.Errorf("%w: %w", ErrTokenDead, ErrExpired)
	}
	return expires, nil
}

func customClaims(object []byte) Claims {
	if text := string(object); strictjson.IsObject(text) {
		return Claims(text)
	}
	return ""
}

// judge says what a failed verification means: something about the token, or that nothing is known.
func judge(err error) error {
	if errors.Is(err, ErrTokenDead) || errors.Is(err, ErrForbidden) {
		return err
	}
	if errors.Is(err, wrapper.ErrInactiveToken) {
		return fmt.Errorf("%w: %w", ErrTokenDead, err)
	}
	api, ok := errors.AsType[*wrapper.APIError](err)
	if !ok {
		return cannotDecide(err)
	}
	switch {
	case api.Status == http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	case api.Status < 400, api.Status >= 500, // no reply, or one that proves nothing
		api.Status == http.StatusUnauthorized, // our own credential
		api.Status == http.StatusRequestTimeout, api.Status == http.StatusTooManyRequests:
		return cannotDecide(err)
	}
	return fmt.Errorf("%w: %w", ErrTokenRefused, err)
}
