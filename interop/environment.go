package main

// environment is what the peers are told: the emulator's address and credentials. Its JSON goes to the scripts.
type environment struct {
	APIURL         string `json:"apiUrl"` // without a path, as Clerk's own CLERK_API_URL is
	SecretKey      string `json:"secretKey"`
	PublishableKey string `json:"publishableKey"`
	JWTKey         string `json:"jwtKey"` // PEM; empty where the keys are to be fetched

	Caller   machineEnv `json:"caller"`   // may call Callee
	Callee   machineEnv `json:"callee"`   // may call nobody
	Stranger machineEnv `json:"stranger"` // may call nobody, and nobody may call it

	User   string    `json:"user"`
	Tokens tokensEnv `json:"tokens"` // of User, made without a call
}

type machineEnv struct {
	ID        string `json:"id"`
	SecretKey string `json:"secretKey"`
}

type tokensEnv struct {
	Session     string `json:"session"`
	OAuthOpaque string `json:"oauthOpaque"`
	OAuthJWT    string `json:"oauthJWT"`
}
