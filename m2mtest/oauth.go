package m2mtest

import (
	"net/http"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

func (t *oauthToken) reply(now time.Time) generated.OAuthAccessToken {
	return generated.OAuthAccessToken{
		Object:           generated.OAuthAccessTokenObjectClerkIdpOAuthAccessToken,
		ID:               t.id,
		ClientID:         t.clientID,
		Subject:          t.subject,
		Scopes:           orEmpty(t.scopes),
		Revoked:          t.revoked,
		RevocationReason: t.reason,
		Expired:          t.expired(now),
		Expiration:       optionalMillis(t.expires),
		CreatedAt:        millis(t.created),
		UpdatedAt:        millis(t.updated),
	}
}

// VerifyOAuthAccessToken implements POST /oauth_applications/access_tokens/verify. A JWT that is not active is answered
// 200 with {"active":false}, an opaque token 404.
func (a api) VerifyOAuthAccessToken(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		req, refused := decode[generated.VerifyOAuthAccessTokenRequest](c)
		if refused != nil {
			return nil, refused
		}
		token := string(req.AccessToken)
		if token == "" {
			token = string(req.Secret)
		}
		if token == "" {
			return nil, badField("access_token", "value is required but missing")
		}
		t, opaque := a.state.byOAuth[token]
		if !opaque {
			if t = a.parseOAuthJWT(token); t == nil {
				return nil, notFound("There is no such access token.")
			}
			if t.dead(c.now) || c.now.Before(t.created) {
				return generated.InactiveOAuthAccessToken{Active: false}, nil
			}
		}
		if t.dead(c.now) && !a.deadAs200 {
			return nil, notFound("The access token is revoked or expired.")
		}
		return t.reply(c.now), nil
	})
}

// parseOAuthJWT gives what a JWT of this instance says, or nil if it is not an access token (RFC 9068). The caller has
// the lock.
func (s *Server) parseOAuthJWT(token string) *oauthToken {
	c, err := s.keys.verifyJWT(token)
	if err != nil || c.typ != "at+jwt" && c.typ != "application/at+jwt" {
		return nil
	}
	times, ok := c.life()
	t := &oauthToken{life: times, id: c.text("jti"), clientID: c.text("client_id"), subject: c.text("sub"), scopes: strings.Fields(c.text("scope"))}
	if !ok || !oauthTokenIDShape.MatchString(t.id) || !userIDShape.MatchString(t.subject) || t.clientID == "" {
		return nil
	}
	if known := s.state.oauthByID(t.id); known != nil {
		t.revoked, t.reason = known.revoked, known.reason
	}
	return t
}

func (st *state) oauthByID(id string) *oauthToken {
	for _, t := range st.oauth {
		if t.id == id {
			return t
		}
	}
	return nil
}
