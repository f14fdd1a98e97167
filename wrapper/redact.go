package wrapper

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// credentials are what looks like a credential of Clerk's, or a JWT. An id of a token looks like one, too.
var credentials = regexp.MustCompile(`\b(?:sk_(?:live|test)|ak|mt|oat|api_key)_\w{6,}|\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*`)

// redactor gives a function that takes credentials out of a text of Clerk's: those that the request was made with, and
// whatever looks like one.
func redactor(req *http.Request) func(string) string {
	var pairs []string
	for _, secret := range secretsIn(req) {
		if secret != "" {
			pairs = append(pairs, secret, "[redacted]")
		}
	}
	known := strings.NewReplacer(pairs...)
	return func(s string) string { return credentials.ReplaceAllString(known.Replace(s), "[redacted]") }
}

// secretsIn gives what is secret in a request: the credential it is made with, and the one it asks to verify, which
// may look like nothing known.
func secretsIn(req *http.Request) []string {
	header := req.Header.Get("Authorization")
	key := header[strings.LastIndexByte(header, ' ')+1:] // an editor's header may have no scheme
	var sent struct {
		Token       string `json:"token"`
		Secret      string `json:"secret"`
		AccessToken string `json:"access_token"`
	}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			_ = json.NewDecoder(body).Decode(&sent)
		}
	}
	return []string{key, sent.Token, sent.Secret, sent.AccessToken}
}

// redactValue redacts every text in a JSON value, however deep.
func redactValue(redact func(string) string, value any) any {
	switch value := value.(type) {
	case string:
		return redact(value)
	case []any:
		for i := range value {
			value[i] = redactValue(redact, value[i])
		}
	case map[string]any:
		return redactMeta(redact, value)
	}
	return value
}

func redactMeta(redact func(string) string, meta map[string]any) map[string]any {
	if len(meta) == 0 {
		return nil
	}
	clean := make(map[string]any, len(meta))
	for name, value := range meta {
		clean[redact(name)] = redactValue(redact, value)
	}
	return clean
}
