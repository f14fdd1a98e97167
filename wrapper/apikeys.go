package wrapper

import (
	"context"
	"iter"

	"github.com/m2mauth/clerk-m2m/generated"
)

// APIKeys manages the long-lived keys of users, organizations and machines. Every call takes the instance's secret key.
type APIKeys struct{ c *core }

// Create creates an API key. Its value is in the result's Secret.
func (s *APIKeys) Create(ctx context.Context, params CreateAPIKeyParams, edit ...RequestEditor) (*APIKey, error) {
	resp, err := s.c.api.CreateAPIKey(ctx, params, edit...)
	return result[APIKey](&generated.OpCreateAPIKey, resp, err)
}

// Get gives one API key, without its value.
func (s *APIKeys) Get(ctx context.Context, id string, edit ...RequestEditor) (*APIKey, error) {
	if err := checkID(&generated.OpGetAPIKey, "apiKeyID", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.GetAPIKey(ctx, id, edit...)
	return result[APIKey](&generated.OpGetAPIKey, resp, err)
}

// List gives one page of the API keys of params.Subject, newest first.
func (s *APIKeys) List(ctx context.Context, params ListAPIKeysParams, edit ...RequestEditor) (*APIKeyList, error) {
	if err := checkID(&generated.OpGetAPIKeys, "subject", params.Subject); err != nil {
		return nil, err
	}
	resp, err := s.c.api.GetAPIKeys(ctx, &params, edit...)
	return result[APIKeyList](&generated.OpGetAPIKeys, resp, err)
}

// All walks the API keys of params.Subject, page by page, params.Limit at a time (100 by default) from params.Offset
// on. After an error it ends.
func (s *APIKeys) All(ctx context.Context, params ListAPIKeysParams, edit ...RequestEditor) iter.Seq2[*APIKey, error] {
	return all(ctx, params.Limit, params.Offset, func(limit, offset *int64) ([]APIKey, int64, error) {
		params := params
		params.Limit, params.Offset = limit, offset
		page, err := s.List(ctx, params, edit...)
		if err != nil {
			return nil, 0, err
		}
		return page.Data, page.TotalCount, nil
	})
}

// Update changes the fields of an API key that params has.
func (s *APIKeys) Update(ctx context.Context, id string, params UpdateAPIKeyParams, edit ...RequestEditor) (*APIKey, error) {
	if err := checkID(&generated.OpUpdateAPIKey, "apiKeyID", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.UpdateAPIKey(ctx, id, params, edit...)
	return result[APIKey](&generated.OpUpdateAPIKey, resp, err)
}

// Delete deletes an API key.
func (s *APIKeys) Delete(ctx context.Context, id string, edit ...RequestEditor) (*DeletedAPIKey, error) {
	if err := checkID(&generated.OpDeleteAPIKey, "apiKeyID", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.DeleteAPIKey(ctx, id, edit...)
	return result[DeletedAPIKey](&generated.OpDeleteAPIKey, resp, err)
}

// Secret gives the value of an API key.
func (s *APIKeys) Secret(ctx context.Context, id string, edit ...RequestEditor) (Secret, error) {
	if err := checkID(&generated.OpGetAPIKeySecret, "apiKeyID", id); err != nil {
		return "", err
	}
	resp, err := s.c.api.GetAPIKeySecret(ctx, id, edit...)
	key, err := result[generated.APIKeySecret](&generated.OpGetAPIKeySecret, resp, err)
	if err != nil {
		return "", err
	}
	return key.Secret, nil
}

// Revoke revokes an API key by its id, which is not its value.
func (s *APIKeys) Revoke(ctx context.Context, id string, params RevokeAPIKeyParams, edit ...RequestEditor) (*APIKey, error) {
	if err := checkID(&generated.OpRevokeAPIKey, "apiKeyID", id); err != nil {
		return nil, err
	}
	resp, err := s.c.api.RevokeAPIKey(ctx, id, params, edit...)
	return result[APIKey](&generated.OpRevokeAPIKey, resp, err)
}

// Verify asks Clerk whom an API key stands for, by its value. A result is a live key: one that is revoked or expired
// is [ErrInactiveToken]. Each verification is billed.
func (s *APIKeys) Verify(ctx context.Context, secret string, edit ...RequestEditor) (*APIKey, error) {
	resp, err := s.c.api.VerifyAPIKey(ctx, generated.VerifyAPIKeyRequest{Secret: Secret(secret)}, edit...)
	return verified(&generated.OpVerifyAPIKey, resp, err, func(k *APIKey) error { return live(k.Revoked, k.Expired) })
}
