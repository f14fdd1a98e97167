package m2mtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m2mauth/clerk-m2m/generated"
)

// apiKeyKind is the type of an API key where none is given.
const apiKeyKind = "api_key"

func (k *apiKey) reply(now time.Time) generated.APIKey {
	return generated.APIKey{
		Object:           generated.APIKeyObjectAPIKey,
		ID:               k.id,
		Type:             k.kind,
		Subject:          k.subject,
		Name:             k.name,
		Description:      k.description,
		Claims:           orNull(k.claims),
		Scopes:           orEmpty(k.scopes),
		Revoked:          k.revoked,
		RevocationReason: k.reason,
		Expired:          k.expired(now),
		Expiration:       optionalMillis(k.expires),
		CreatedBy:        k.createdBy,
		LastUsedAt:       optionalMillis(k.lastUsed),
		CreatedAt:        millis(k.created),
		UpdatedAt:        millis(k.updated),
	}
}

func (k *apiKey) replyWithSecret(now time.Time) generated.APIKey {
	reply := k.reply(now)
	reply.Secret = generated.Secret(k.secret)
	return reply
}

func (st *state) addAPIKey(k *apiKey) {
	st.apiKeys = append(st.apiKeys, k)
	st.byAPIKey[k.secret] = k
}

// CreateAPIKey implements POST /api_keys.
func (a api) CreateAPIKey(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		req, refused := decode[struct {
			generated.CreateAPIKeyRequest
			Seconds json.RawMessage `json:"seconds_until_expiration"`
		}](c)
		if refused != nil {
			return nil, refused
		}
		if refused := checkSubject(req.Subject); refused != nil {
			return nil, refused
		}
		k := &apiKey{
			life:        life{created: c.now, updated: c.now},
			kind:        apiKeyKind,
			subject:     req.Subject,
			name:        req.Name,
			description: req.Description,
			createdBy:   req.CreatedBy,
			scopes:      req.Scopes,
			claims:      notNull(req.Claims),
		}
		if req.Type != nil {
			k.kind = *req.Type
		}
		if refused := k.expire(req.Seconds, c.now); refused != nil {
			return nil, refused
		}
		taken := func(other *apiKey) bool {
			return other.subject == k.subject && other.name == k.name && other.kind == k.kind && !other.dead(c.now)
		}
		if slices.ContainsFunc(a.state.apiKeys, taken) {
			return nil, refuse(http.StatusConflict, "api_key_name_already_exists", "Conflict", "The subject has a valid key of that name already.")
		}
		k.id, k.secret = a.ids.hexID("ak_"), a.ids.text("ak_", 42)
		a.state.addAPIKey(k)
		a.cost.APIKeysCreated++
		return k.replyWithSecret(c.now), nil
	})
}

// checkSubject refuses a subject that the API takes in requests but never gives in replies.
func checkSubject(subject string) *refusal {
	if strings.HasPrefix(subject, "scim_") {
		return badField("subject", "must be a user, an organization or a machine")
	}
	return nil
}

func notNull(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// expire sets when the key expires: absent leaves it, null is never.
func (k *apiKey) expire(raw json.RawMessage, now time.Time) *refusal {
	switch {
	case raw == nil:
		return nil
	case string(raw) == "null":
		k.expires = time.Time{}
		return nil
	}
	n, refused := seconds("seconds_until_expiration", raw)
	if refused == nil {
		k.expires = now.Add(time.Duration(n) * time.Second)
	}
	return refused
}

// GetAPIKeys implements GET /api_keys.
func (a api) GetAPIKeys(w http.ResponseWriter, r *http.Request, params generated.GetAPIKeysParams) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		kind, query := apiKeyKind, ""
		if params.Type != nil {
			kind = *params.Type
		}
		if params.Query != nil {
			query = *params.Query
		}
		all := params.IncludeInvalid != nil && *params.IncludeInvalid == generated.IncludeInvalidTrue
		found := newestFirst(a.state.apiKeys, func(k *apiKey) bool {
			return k.subject == params.Subject && k.kind == kind && (all || !k.dead(c.now)) &&
				(strings.Contains(strings.ToLower(k.name), strings.ToLower(query)) || strings.Contains(k.id, query))
		})
		list := generated.APIKeyList{Data: []generated.APIKey{}, TotalCount: int64(len(found))}
		for _, k := range page(found, params.Limit, params.Offset, 10) {
			list.Data = append(list.Data, k.reply(c.now))
		}
		return list, nil
	})
}

// VerifyAPIKey implements POST /api_keys/verify.
func (a api) VerifyAPIKey(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		req, refused := decode[generated.VerifyAPIKeyRequest](c)
		if refused != nil {
			return nil, refused
		}
		a.cost.OpaqueVerifications++
		k := a.state.byAPIKey[string(req.Secret)]
		if k == nil {
			return nil, notFound("There is no such API key.")
		}
		if k.dead(c.now) && !a.deadAs200 {
			return nil, notFound("The API key is revoked or expired.")
		}
		k.lastUsed = c.now
		return k.reply(c.now), nil
	})
}

// withAPIKey answers with what f gives of the API key that a path names.
func (a api) withAPIKey(w http.ResponseWriter, r *http.Request, id string, f func(*call, *apiKey) (any, *refusal)) {
	a.serve(w, r, http.StatusOK, func(c *call) (any, *refusal) {
		k := a.state.apiKey(id)
		if k == nil {
			return nil, notFound("There is no API key with that id.")
		}
		return f(c, k)
	})
}

// GetAPIKey implements GET /api_keys/{apiKeyID}.
func (a api) GetAPIKey(w http.ResponseWriter, r *http.Request, id generated.PathAPIKeyID) {
	a.withAPIKey(w, r, id, func(c *call, k *apiKey) (any, *refusal) { return k.reply(c.now), nil })
}

// UpdateAPIKey implements PATCH /api_keys/{apiKeyID}. A member that is null clears what it names; one that is absent
// leaves it.
func (a api) UpdateAPIKey(w http.ResponseWriter, r *http.Request, id generated.PathAPIKeyID) {
	a.withAPIKey(w, r, id, func(c *call, k *apiKey) (any, *refusal) {
		req, refused := decode[struct {
			Claims      json.RawMessage `json:"claims"`
			Scopes      []string        `json:"scopes"`
			Description json.RawMessage `json:"description"`
			Subject     string          `json:"subject"`
			Seconds     json.RawMessage `json:"seconds_until_expiration"`
		}](c)
		if refused != nil {
			return nil, refused
		}
		changed := *k
		if req.Subject != "" {
			if refused := checkSubject(req.Subject); refused != nil {
				return nil, refused
			}
			changed.subject = req.Subject
		}
		if refused := changed.expire(req.Seconds, c.now); refused != nil {
			return nil, refused
		}
		if req.Claims != nil {
			changed.claims = notNull(req.Claims)
		}
		if req.Scopes != nil {
			changed.scopes = req.Scopes
		}
		if req.Description != nil {
			changed.description = nil
			if json.Unmarshal(req.Description, &changed.description) != nil {
				return nil, badField("description", "must be a string or null")
			}
		}
		changed.updated = c.now
		*k = changed
		return k.reply(c.now), nil
	})
}

// DeleteAPIKey implements DELETE /api_keys/{apiKeyID}.
func (a api) DeleteAPIKey(w http.ResponseWriter, r *http.Request, id generated.PathAPIKeyID) {
	a.withAPIKey(w, r, id, func(_ *call, k *apiKey) (any, *refusal) {
		a.state.apiKeys = slices.DeleteFunc(a.state.apiKeys, func(other *apiKey) bool { return other == k })
		delete(a.state.byAPIKey, k.secret)
		return generated.DeletedAPIKey{Object: generated.APIKeyObjectAPIKey, ID: k.id, Deleted: true}, nil
	})
}

// GetAPIKeySecret implements GET /api_keys/{apiKeyID}/secret.
func (a api) GetAPIKeySecret(w http.ResponseWriter, r *http.Request, id generated.PathAPIKeyID) {
	a.withAPIKey(w, r, id, func(_ *call, k *apiKey) (any, *refusal) {
		return generated.APIKeySecret{Secret: generated.Secret(k.secret)}, nil
	})
}

// RevokeAPIKey implements POST /api_keys/{apiKeyID}/revoke.
func (a api) RevokeAPIKey(w http.ResponseWriter, r *http.Request, id generated.PathAPIKeyID) {
	a.withAPIKey(w, r, id, func(c *call, k *apiKey) (any, *refusal) {
		req, refused := decode[generated.RevokeAPIKeyRequest](c)
		if refused != nil {
			return nil, refused
		}
		k.revoke(req.RevocationReason, c.now)
		return k.reply(c.now), nil
	})
}
