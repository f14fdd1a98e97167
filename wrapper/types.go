package wrapper

import "github.com/m2mauth/clerk-m2m/generated"

// The parameters and results of calls are the generated types, so that a field added to the spec is a field here.
type (
	// CreateM2MTokenParams says what kind of M2M token is minted, and for how long.
	CreateM2MTokenParams = generated.CreateM2MTokenRequest
	// ListM2MTokensParams says whose M2M tokens are listed, and which.
	ListM2MTokensParams = generated.GetM2MTokensParams
	// RevokeM2MTokenParams says why an M2M token is revoked.
	RevokeM2MTokenParams = generated.RevokeM2MTokenRequest
	// M2MToken is a token with which a machine calls other machines. Its Token is set only by Create.
	M2MToken = generated.M2MToken
	// M2MTokenList is a page of M2M tokens.
	M2MTokenList = generated.M2MTokenList
	// TokenFormat tells opaque tokens, which Clerk looks up and can revoke, from JWTs, which anyone can verify.
	TokenFormat = generated.TokenFormat

	// CreateMachineParams describes a machine to create.
	CreateMachineParams = generated.CreateMachineRequest
	// ListMachinesParams says which machines are listed, and in which order.
	ListMachinesParams = generated.ListMachinesParams
	// UpdateMachineParams says what changes about a machine.
	UpdateMachineParams = generated.UpdateMachineRequest
	// RotateMachineSecretKeyParams says for how long the secret key before stays valid.
	RotateMachineSecretKeyParams = generated.RotateMachineSecretKeyRequest
	// Machine is a machine of the instance. Its SecretKey is set only by Create.
	Machine = generated.Machine
	// MachineSummary is a machine as it appears among those that another may call.
	MachineSummary = generated.MachineSummary
	// MachineList is a page of machines.
	MachineList = generated.MachineList
	// DeletedMachine is a machine that is no more.
	DeletedMachine = generated.DeletedMachine
	// MachineScope says that one machine may call another.
	MachineScope = generated.MachineScope
	// DeletedMachineScope says that one machine may no longer call another.
	DeletedMachineScope = generated.DeletedMachineScope

	// CreateAPIKeyParams describes an API key to create.
	CreateAPIKeyParams = generated.CreateAPIKeyRequest
	// ListAPIKeysParams says whose API keys are listed, and which.
	ListAPIKeysParams = generated.GetAPIKeysParams
	// UpdateAPIKeyParams says what changes about an API key.
	UpdateAPIKeyParams = generated.UpdateAPIKeyRequest
	// RevokeAPIKeyParams says why an API key is revoked.
	RevokeAPIKeyParams = generated.RevokeAPIKeyRequest
	// APIKey is a long-lived key that stands for a user, an organization or a machine. Its Secret is set only by Create.
	APIKey = generated.APIKey
	// APIKeyList is a page of API keys.
	APIKeyList = generated.APIKeyList
	// DeletedAPIKey is an API key that is no more.
	DeletedAPIKey = generated.DeletedAPIKey

	// OAuthAccessToken is a token with which an OAuth client acts for a user.
	OAuthAccessToken = generated.OAuthAccessToken

	// JWKS is a JSON Web Key Set (RFC 7517, section 5).
	JWKS = generated.JWKS
	// JWK is a public key (RFC 7517, section 4).
	JWK = generated.JWK

	// Secret is a credential. Formatting or logging it shows "[redacted]"; converting it to a string gives its value.
	Secret = generated.Secret
	// CredentialKind is a kind of credential, or a set of them.
	CredentialKind = generated.CredentialKind
	// ErrorItem is one of the things that Clerk says was wrong.
	ErrorItem = generated.ErrorItem
)

const (
	// TokenFormatOpaque asks for a token that Clerk looks up; it can be revoked. The default.
	TokenFormatOpaque = generated.TokenFormatOpaque
	// TokenFormatJWT asks for a signed JWT; it is verified without asking Clerk, and cannot be revoked.
	TokenFormatJWT = generated.TokenFormatJWT

	// MachineSecretKeyKind is the secret key of one machine (ak_...).
	MachineSecretKeyKind = generated.CredentialKindMachineSecretKey
	// SecretKeyKind is the secret key of the instance (sk_...).
	SecretKeyKind = generated.CredentialKindSecretKey
)
