package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestStringNeverShows(t *testing.T) {
	t.Parallel()
	const value = "ak_hush"
	s := String(value)
	holder := struct {
		S String
		P *String
		L []String
		M map[String]String
		A any
	}{s, &s, []String{s}, map[String]String{s: s}, s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%#q", "%x", "%X", "%d", "%10s", "%t"} {
		for _, v := range []any{s, &s, holder, &holder, fmt.Errorf("failed: %v", s)} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "hush") || strings.Contains(got, "68757368") {
				t.Errorf("%s of %T shows the value: %s", verb, v, got)
			}
		}
	}
	for _, h := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(h(&b)).Info("call", "secret", s)
		if strings.Contains(b.String(), "hush") || !strings.Contains(b.String(), redacted) {
			t.Errorf("slog wrote %s", b.String())
		}
	}
}

func TestStringKeepsItsValue(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(struct{ Token String }{"mt_1"})
	if err != nil || string(b) != `{"Token":"mt_1"}` {
		t.Errorf("JSON is %s, %v", b, err)
	}
	if got := fmt.Sprintf("%v|%q|%#v", String(""), String("x"), String("x")); got != `|"[redacted]"|"[redacted]"` {
		t.Errorf("formatted: %s", got)
	}
}
