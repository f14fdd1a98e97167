package wrapper_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
	"github.com/m2mauth/clerk-m2m/wrapper"
)

// printed gives a value by every way to format or log it.
func printed(t *testing.T, v any) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x", "%X", "%d", "%10v", "%T"} {
		out[verb] = fmt.Sprintf(verb, v) + fmt.Sprintf(verb, []any{v}) + fmt.Sprintf(verb, map[string]any{"v": v})
	}
	out["Sprint"] = fmt.Sprint(v, v) + fmt.Sprintln(v)
	out["errorf"] = fmt.Errorf("wrapped: %v", v).Error()
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		log := slog.New(handler(&b))
		log.Info("m", "v", v)
		log.With("v", v).Info("m", slog.Group("g", "v", v))
		out[name] = b.String()
	}
	return out
}

// hex is how %x would show the secrets.
func hex(s string) string { return fmt.Sprintf("%x", s) }

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	f := newFake()
	client := f.client(t, wrapper.WithRequestEditor(wrapper.SecretKey("sk_test_editorhush")))
	token := wrapper.M2MToken{ID: "id", Token: "mt_hush"}
	machine := wrapper.Machine{ID: "id", SecretKey: "ak_hush"}
	key := wrapper.APIKey{ID: "id", Secret: "ak_hush"}
	_, credentialErr := client.M2MTokens.Create(t.Context(), wrapper.CreateM2MTokenParams{}, wrapper.SecretKey("sk_test_hush"))
	_, newErr := wrapper.New(wrapper.WithoutEnv(), wrapper.WithSecretKey("ak_hush"))
	_, urlErr := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL("https://user:hush@clerk.example/"))
	_, brokenURLErr := wrapper.New(wrapper.WithoutEnv(), wrapper.WithBaseURL("https://user:hush@clerk.example:x/%"))
	for name, v := range map[string]any{
		"Client": client, "Client by value": *client, "API": client.API(), "API by value": *client.API(),
		"M2MTokens": client.M2MTokens, "Machines": *client.Machines, "Keys": client.Keys,
		"option": wrapper.WithSecretKey("sk_test_hush"), "option for a machine": wrapper.WithMachineSecretKey("ak_hush"),
		"editor": wrapper.SecretKey("sk_test_hush"), "editor for a machine": wrapper.MachineSecretKey("ak_hush"),
		"CredentialError": credentialErr, "New": newErr, "base URL": urlErr, "broken base URL": brokenURLErr,
		"Secret":      wrapper.Secret("ak_hush"),
		"token":       token,
		"*token":      &token,
		"token list":  wrapper.M2MTokenList{M2MTokens: []wrapper.M2MToken{token}},
		"*token list": &wrapper.M2MTokenList{M2MTokens: []wrapper.M2MToken{token}},
		"machine":     machine, "*machine": &machine,
		"machine list": &wrapper.MachineList{Data: []wrapper.Machine{machine}},
		"key":          key, "*key": &key,
		"key list":           &wrapper.APIKeyList{Data: []wrapper.APIKey{key}},
		"MachineSecretKey":   generated.MachineSecretKey{Secret: "ak_hush"},
		"APIKeySecret":       generated.APIKeySecret{Secret: "ak_hush"},
		"VerifyM2MToken":     generated.VerifyM2MTokenRequest{Token: "mt_hush"},
		"VerifyAPIKey":       &generated.VerifyAPIKeyRequest{Secret: "ak_hush"},
		"VerifyOAuth":        generated.VerifyOAuthAccessTokenRequest{AccessToken: "oat_hush", Secret: "oat_hush"},
		"a struct around it": struct{ Token *wrapper.M2MToken }{&token},
	} {
		for way, text := range printed(t, v) {
			if strings.HasPrefix(name, "a struct") && way == "slog JSON" {
				continue // encoding/json, which gives a token's own data
			}
			shows(t, name+" by "+way, text)
			if strings.Contains(strings.ToLower(text), hex(hush)) {
				t.Errorf("%s by %s shows a secret in hexadecimal: %.300s", name, way, text)
			}
		}
	}
	for _, err := range []error{credentialErr, newErr, urlErr, brokenURLErr} {
		if err == nil {
			t.Error("an error is missing")
		}
	}
	if string(token.Token) != "mt_hush" {
		t.Error("converting a Secret does not give its value")
	}
}
