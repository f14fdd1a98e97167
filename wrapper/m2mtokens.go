package wrapper

import (
	"context"
	"iter"

	"github.com/m2mauth/clerk-m2m/generated"
)

// M2MTokens mints, lists, revokes and verifies the tokens with which machines call one another.
type M2MTokens struct{ c *core }

// Create mints a token for the machine whose secret key the call is made with. Its value is in the result's Token and
// is given only here. Minting is billed, and a request that may have arrived is not sent again; for one token that is
// shared and renewed use [M2MTokens.TokenSource].
func (s *M2MTokens) Create(ctx context.Context, params CreateM2MTokenParams, edit ...RequestEditor) (*M2MToken, error) {
	resp, err := s.c.api.CreateM2MToken(ctx, params, edit...)
	return result[M2MToken](&generated.OpCreateM2MToken, resp, err)
}

// List gives one page of the opaque tokens of the machine params.Subject, newest first. JWTs are not stored and so
// never listed.
func (s *M2MTokens) List(ctx context.Context, params ListM2MTokensParams, edit ...RequestEditor) (*M2MTokenList, error) {
	if err := checkID(&generated.OpGetM2MTokens, "subject", params.Subject); err != nil {
		return nil, err
	}
	resp, err := s.c.api.GetM2MTokens(ctx, &params, edit...)
	return result[M2MTokenList](&generated.OpGetM2MTokens, resp, err)
}

// All walks the opaque tokens of the machine params.Subject, page by page, params.Limit at a time (100 by default)
// from params.Offset on. After an error it ends.
func (s *M2MTokens) All(ctx context.Context, params ListM2MTokensParams, edit ...RequestEditor) iter.Seq2[*M2MToken, error] {
	return all(ctx, params.Limit, params.Offset, func(limit, offset *int64) ([]M2MToken, int64, error) {
		params := params
		params.Limit, params.Offset = limit, offset
		page, err := s.List(ctx, params, edit...)
		if err != nil {
			return nil, 0, err
		}
		return page.M2MTokens, page.TotalCount, nil
	})
}

// Revoke revokes an opaque token by its id, which is not its value. A JWT cannot be revoked.
func (s *M2MTokens) Revoke(ctx context.Context, id string, params RevokeM2MTokenParams, edit ...RequestEditor) (*M2MToken, error) {
	if err := checkID(&generated.OpRevokeM2MToken, "m2m_token_id", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.RevokeM2MToken(ctx, id, params, edit...)
	return result[M2MToken](&generated.OpRevokeM2MToken, resp, err)
}

// Verify asks Clerk which machine a token stands for. Made with a machine's secret key, it also asks whether that
// machine may be called with it; made with the instance's, any live token of the instance is verified. A result is a
// live token: one that is revoked or expired is [ErrInactiveToken]. Each verification of an opaque token is billed.
func (s *M2MTokens) Verify(ctx context.Context, token string, edit ...RequestEditor) (*M2MToken, error) {
	resp, err := s.c.api.VerifyM2MToken(ctx, generated.VerifyM2MTokenRequest{Token: Secret(token)}, edit...)
	return verified(&generated.OpVerifyM2MToken, resp, err, func(t *M2MToken) error { return live(t.Revoked, t.Expired) })
}
