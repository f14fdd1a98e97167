package wrapper

import (
	"context"

	"github.com/m2mauth/clerk-m2m/generated"
)

// Keys gives the public keys that JWTs of the instance are signed with. Every call takes the instance's secret key.
type Keys struct{ c *core }

// JWKS gives the key set of the instance, fetched anew at each call; package authn keeps one.
func (s *Keys) JWKS(ctx context.Context, edit ...RequestEditor) (*JWKS, error) {
	resp, err := s.c.api.GetJWKS(ctx, edit...)
	return result[JWKS](&generated.OpGetJWKS, resp, err)
}
