package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzJSON compares the scanner with encoding/json.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,-0.5e+3,"\u00e9\n",true,null,{"b":{}}]}`, `[`, `"\ud800"`, `01`, `{"a":1,}`, " 1 ", `{"a" : "b" , "a":2}`, "\"\x7f\"", "{\"a\":\"\xff\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		want := json.Valid([]byte(doc)) && utf8.ValidString(doc)
		deep := strings.Count(doc, "[")+strings.Count(doc, "{") > MaxDepth
		if got := Valid(doc); got != want && (got || !deep) {
			t.Fatalf("Valid(%q) = %t", doc, got)
		}
		got := map[string]any{}
		if !Members(doc, func(name, value string) {
			var v any
			if err := json.Unmarshal([]byte(value), &v); err == nil { // not 1e400
				got[name] = v
			}
		}) {
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(doc), &all); err != nil {
			t.Fatalf("members took %q: %v", doc, err)
		}
		theirs := map[string]any{}
		for name, value := range all {
			var v any
			if json.Unmarshal(value, &v) == nil {
				theirs[name] = v
			}
		}
		if !reflect.DeepEqual(got, theirs) {
			t.Errorf("%q: got %v, want %v", doc, got, theirs)
		}
	})
}
