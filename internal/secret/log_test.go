package secret_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/m2mauth/clerk-m2m/internal/secret"
)

type model struct {
	ID     string          `json:"id"`
	Token  secret.String   `json:"token,omitempty"`
	Old    *secret.String  `json:"old,omitempty"`
	Ends   *int64          `json:"ends"`
	Claims json.RawMessage `json:"claims,omitempty"`
	Scopes []string        `json:"scopes,omitempty"`
}

func (m model) LogValue() slog.Value { return secret.LogValue(m) }

type list struct {
	Data  []model `json:"data"`
	Total int64   `json:"total"`
}

func (l list) LogValue() slog.Value { return secret.LogValue(l) }

func TestLogValue(t *testing.T) {
	t.Parallel()
	old := secret.String("hush2")
	full := model{"mt_1", "hush1", &old, new(int64(7)), json.RawMessage(`{"a":1}`), []string{"mch_1"}}
	for _, test := range []struct {
		value      any
		json, text string
	}{
		{
			full,
			`{"v":{"id":"mt_1","token":"[redacted]","old":"[redacted]","ends":7,"claims":{"a":1},"scopes":["mch_1"]}}`,
			`v.id=mt_1 v.token=[redacted] v.old=[redacted] v.ends=7 v.claims="{\"a\":1}" v.scopes=[mch_1]`,
		},
		{model{ID: "mt_1"}, `{"v":{"id":"mt_1","ends":null}}`, `v.id=mt_1 v.ends=<nil>`},
		{
			list{[]model{{ID: "mt_1", Token: "hush1"}, {ID: "mt_2", Ends: new(int64(7))}}, 2},
			`{"v":{"data":{"0":{"id":"mt_1","token":"[redacted]","ends":null},"1":{"id":"mt_2","ends":7}},"total":2}}`,
			`v.data.0.id=mt_1 v.data.0.token=[redacted] v.data.0.ends=<nil> v.data.1.id=mt_2 v.data.1.ends=7 v.total=2`,
		},
		{list{}, `{"v":{"total":0}}`, `v.total=0`},
	} {
		without := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key != "v" {
				return slog.Attr{}
			}
			return a
		}}
		var asJSON, asText bytes.Buffer
		slog.New(slog.NewJSONHandler(&asJSON, without)).Info("", "v", test.value)
		slog.New(slog.NewTextHandler(&asText, without)).Info("", "v", test.value)
		if got := asJSON.String(); got != test.json+"\n" {
			t.Errorf("JSON is %s, want %s", got, test.json)
		}
		if got := asText.String(); got != test.text+"\n" {
			t.Errorf("text is %s, want %s", got, test.text)
		}
	}
}
