package wrapper

import (
	"context"

	"github.com/m2mauth/clerk-m2m/generated"
)

// OAuthTokens verifies the access tokens that the instance issued as an OAuth authorization server. Every call takes
// the instance's secret key.
type OAuthTokens struct{ c *core }

// Verify asks Clerk whom an access token stands for. A result is a live token: one that is revoked, expired or, as
// Clerk says of JWTs, not active is [ErrInactiveToken].
func (s *OAuthTokens) Verify(ctx context.Context, token string, edit ...RequestEditor) (*OAuthAccessToken, error) {
	resp, err := s.c.api.VerifyOAuthAccessToken(ctx, generated.VerifyOAuthAccessTokenRequest{AccessToken: Secret(token)}, edit...)
	return verified(&generated.OpVerifyOAuthAccessToken, resp, err, func(t *OAuthAccessToken) error { return live(t.Revoked, t.Expired) })
}
