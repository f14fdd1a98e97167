// Package m2mtest is Clerk's machine-auth API in memory, for tests, demos and work without a network: machines and
// their scopes, M2M tokens both opaque and JWT, API keys, OAuth access tokens and the key set, served over real HTTP.
//
// [NewServer] starts one for a test:
//
//	clerk := m2mtest.NewServer(t)
//	billing := clerk.AddMachine("billing")
//	orders := clerk.AddMachine("orders", billing.ID) // may call billing
//	token := clerk.MintM2M(orders.ID)
//
// It is built on the interface generated from openapi/machine-auth.yaml and checks each request against that spec: one
// that breaks it is answered 400 with what is wrong and where. Paths are served with /v1 and without, because Clerk's
// own SDKs use both.
//
// The clock can be moved ([Server.Advance]), faults can be ordered ([Server.Faults]), calls are kept ([Server.Calls])
// and counted at Clerk's list prices ([Server.Cost]). With [WithSeed] ids, secrets, keys and faults repeat.
//
// # What it decides where Clerk's public documents are silent
//
//   - verify answers 404 for a token that is revoked or expired, as for one that never was. [WithDeadTokensAs200]
//     answers 200 with the flags set instead, to find clients that trust any 200.
//   - verify with a machine's secret key answers 404 for a token whose scopes do not hold that machine.
//   - "seconds_until_expiration": null makes an opaque token that never expires, and a JWT with the machine's default
//     lifetime; absent, it is the machine's default for both.
//   - a JWT cannot be given the claims that Clerk sets (iss, sub, aud, exp, nbf, iat, jti, scopes): 400.
//   - an API key's name is taken while a valid key of the same subject has it: 409.
//   - the first machine, named "default", exists from the start.
package m2mtest
