package main

import (
	"context"
	"encoding/json"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// Ids as the spec has them.
const (
	aMachine = "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dk"
	bMachine = "mch_2xhFjEI5X2qWRvtV13BzSj8H6Dl"
	aToken   = "mt_3beecc9c60adb5f9b850e91a8ee1e992"
	aKey     = "ak_3beecc9c60adb5f9b850e91a8ee1e992"
	aUser    = "user_2xhFjEI5X2qWRvtV13BzSj8H6Dk"
)

func in(code any, location ...string) violation {
	return violation{Location: append([]string{"request"}, location...), Code: code}
}

func ignore[T any](_ T, err error) error { return err }

// prismCases has every operation, each with all the parameters that the spec gives it.
func prismCases() []prismCase {
	type (
		ctx    = context.Context
		client = *wrapper.Client
	)
	return []prismCase{
		{"createM2MToken", func(x ctx, c client) error {
			return ignore(c.M2MTokens.Create(x, wrapper.CreateM2MTokenParams{
				TokenFormat: new(wrapper.TokenFormatOpaque), SecondsUntilExpiration: new(int64(3600)),
				MinRemainingTTLSeconds: new(int64(300)), Claims: json.RawMessage(`{"tenant":"acme","n":[1,null]}`),
			}))
		}, body(`{"token_format":"paseto"}`), in("enum", "body", "token_format")},
		{"getM2MTokens", func(x ctx, c client) error {
			return ignore(c.M2MTokens.List(x, wrapper.ListM2MTokensParams{
				Subject: aMachine, Revoked: new(true), Expired: new(false), Limit: new(int64(100)), Offset: new(int64(1)),
			}))
		}, query("subject", ""), in("required", "query")},
		{"revokeM2MToken", func(x ctx, c client) error {
			return ignore(c.M2MTokens.Revoke(x, aToken, wrapper.RevokeM2MTokenParams{RevocationReason: new("rotated")}))
		}, path(aToken, "mt_1"), in("pattern", "path", "m2m_token_id")},
		{"verifyM2MToken", func(x ctx, c client) error {
			return ignore(c.M2MTokens.Verify(x, "mt_token"))
		}, body(`{}`), in("required", "body")},

		{"ListMachines", func(x ctx, c client) error {
			return ignore(c.Machines.List(x, wrapper.ListMachinesParams{
				Limit: new(int64(500)), Offset: new(int64(2)), Query: new("bill"), OrderBy: new("-name"),
			}))
		}, query("limit", "501"), in("maximum", "query", "limit")},
		{"CreateMachine", func(x ctx, c client) error {
			return ignore(c.Machines.Create(x, wrapper.CreateMachineParams{
				Name: "billing", ScopedMachines: []string{bMachine}, DefaultTokenTTL: new(int64(60)),
			}))
		}, body(`{"name":""}`), in("minLength", "body", "name")},
		{"GetMachine", func(x ctx, c client) error {
			return ignore(c.Machines.Get(x, aMachine))
		}, path(aMachine, "mch_1"), in("pattern", "path", "machine_id")},
		{"UpdateMachine", func(x ctx, c client) error {
			return ignore(c.Machines.Update(x, aMachine, wrapper.UpdateMachineParams{
				Name: new("billing"), DefaultTokenTTL: new(int64(60)),
			}))
		}, body(`{"default_token_ttl":0}`), in("minimum", "body", "default_token_ttl")},
		{"DeleteMachine", func(x ctx, c client) error {
			return ignore(c.Machines.Delete(x, aMachine))
		}, path(aMachine, aKey), in("pattern", "path", "machine_id")},
		{"GetMachineSecretKey", func(x ctx, c client) error {
			return ignore(c.Machines.SecretKey(x, aMachine))
		}, withoutCredential, in(401.)},
		{"RotateMachineSecretKey", func(x ctx, c client) error {
			return ignore(c.Machines.RotateSecretKey(x, aMachine, wrapper.RotateMachineSecretKeyParams{PreviousTokenTTL: 28800}))
		}, body(`{"previous_token_ttl":28801}`), in("maximum", "body", "previous_token_ttl")},
		{"CreateMachineScope", func(x ctx, c client) error {
			return ignore(c.Machines.AddScope(x, aMachine, bMachine))
		}, body(`{"to_machine_id":"mch_1"}`), in("pattern", "body", "to_machine_id")},
		{"DeleteMachineScope", func(x ctx, c client) error {
			return ignore(c.Machines.RemoveScope(x, aMachine, bMachine))
		}, path(bMachine, "mch_1"), in("pattern", "path", "other_machine_id")},

		{"createApiKey", func(x ctx, c client) error {
			return ignore(c.APIKeys.Create(x, wrapper.CreateAPIKeyParams{
				Name: "ci deploy", Subject: aUser, Description: new("for CI"), Scopes: []string{"read"}, CreatedBy: new(aUser),
				Claims: json.RawMessage(`{"tenant":"acme"}`), SecondsUntilExpiration: new(int64(60)), Type: new("api_key"),
			}))
		}, body(`{"name":"ci deploy","subject":"` + aUser + `","seconds_until_expiration":0}`), in("exclusiveMinimum", "body", "seconds_until_expiration")},
		{"getApiKeys", func(x ctx, c client) error {
			return ignore(c.APIKeys.List(x, wrapper.ListAPIKeysParams{
				Subject: aUser, Type: new("api_key"), Query: new("ci"), Limit: new(int64(1)), Offset: new(int64(0)),
			}))
		}, query("include_invalid", "yes"), in("enum", "query", "include_invalid")},
		{"getApiKey", func(x ctx, c client) error {
			return ignore(c.APIKeys.Get(x, aKey))
		}, path(aKey, aToken), in("pattern", "path", "apikeyid")},
		{"updateApiKey", func(x ctx, c client) error {
			return ignore(c.APIKeys.Update(x, aKey, wrapper.UpdateAPIKeyParams{
				Subject: new(aUser), Description: new("for CI"), Scopes: []string{}, Claims: json.RawMessage(`null`),
			}))
		}, body(`{"name":"renamed"}`), in("additionalProperties", "body")},
		{"deleteApiKey", func(x ctx, c client) error {
			return ignore(c.APIKeys.Delete(x, aKey))
		}, path(aKey, "ak_1"), in("pattern", "path", "apikeyid")},
		{"getApiKeySecret", func(x ctx, c client) error {
			return ignore(c.APIKeys.Secret(x, aKey))
		}, withoutCredential, in(401.)},
		{"revokeApiKey", func(x ctx, c client) error {
			return ignore(c.APIKeys.Revoke(x, aKey, wrapper.RevokeAPIKeyParams{RevocationReason: new("leaked")}))
		}, body(`{"revocation_reason":7}`), in("type", "body", "revocation_reason")},
		{"verifyApiKey", func(x ctx, c client) error {
			return ignore(c.APIKeys.Verify(x, "ak_value"))
		}, body(`{"secret":"ak_value","token":"ak_value"}`), in("additionalProperties", "body")},

		{"verifyOAuthAccessToken", func(x ctx, c client) error {
			return ignore(c.OAuthTokens.Verify(x, "oat_value"))
		}, body(`{"access_token":["oat_value"]}`), in("type", "body", "access_token")},
		{"GetJWKS", func(x ctx, c client) error {
			return ignore(c.Keys.JWKS(x))
		}, withoutCredential, in(401.)},
	}
}
