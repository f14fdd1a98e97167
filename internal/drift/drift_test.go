package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// accepted is what the list says after upstreamLike was accepted.
var accepted struct {
	once sync.Once
	list []byte
}

// recorded gives a list in which upstreamLike is accepted.
func recorded(t *testing.T) string {
	t.Helper()
	list := filepath.Join(t.TempDir(), "differences.txt")
	accepted.once.Do(func() {
		if err := drift(upstreamLike(t).write(t), list, "-update"); err != nil {
			t.Error(err)
			return
		}
		var err error
		if accepted.list, err = os.ReadFile(list); err != nil {
			t.Error(err)
		}
	})
	if accepted.list == nil {
		t.Fatal("the list of upstreamLike could not be made")
	}
	if err := os.WriteFile(list, accepted.list, 0o644); err != nil {
		t.Fatal(err)
	}
	return list
}

// drift runs the command on an upstream spec.
func drift(upstream, list string, flags ...string) error {
	return run(append(flags, "-spec", ourSpec, "-record", list, upstream), io.Discard, io.Discard)
}

// doctored is one change of upstream's, and what must be said of it.
type doctored struct {
	name   string
	doctor func(*testing.T, document)
	at     string   // the operation whose lines are looked at, as METHOD path; all lines where it is empty
	added  []string // the lines that are new there; none of both means that there is no drift at all
	gone   []string
}

func (c doctored) run(t *testing.T) {
	t.Parallel()
	list := recorded(t)
	upstream := upstreamLike(t)
	c.doctor(t, upstream)
	err := drift(upstream.write(t), list)
	if len(c.added)+len(c.gone) == 0 {
		if err != nil {
			t.Fatalf("got %v, want no drift", err)
		}
		return
	}
	var d *driftError
	if !errors.As(err, &d) {
		t.Fatalf("got %v, want drift", err)
	}
	elsewhere := func(l string) bool { return c.at != "" && !strings.Contains(l, " "+c.at+": ") }
	report := d.report()
	for _, part := range []struct {
		sign      string
		got, want []string
	}{{"+", d.added, c.added}, {"-", d.gone, c.gone}} {
		got := slices.DeleteFunc(slices.Clone(part.got), elsewhere)
		if !slices.Equal(got, part.want) {
			t.Errorf("%s got:\n%s\nwant:\n%s", part.sign, strings.Join(got, "\n"), strings.Join(part.want, "\n"))
		}
		for _, l := range got {
			if !strings.Contains(report, "\n"+part.sign+" "+l+"\n") {
				t.Errorf("the report does not show %q:\n%s", l, report)
			}
		}
	}
	if !strings.Contains(report, "make spec-drift-accept UPSTREAM="+d.upstream) {
		t.Errorf("the report does not say what to do next:\n%s", report)
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	for _, c := range []doctored{
		{
			name:   "nothing",
			doctor: func(*testing.T, document) {},
		},
		{
			name: "what is no concern of ours",
			doctor: func(_ *testing.T, d document) {
				each(d, func(m map[string]any) {
					if _, ok := m["description"].(string); ok {
						m["description"] = "Other words."
					}
				})
				d.at("info")["version"] = "2027-01-01"
				d["tags"] = []any{map[string]any{"name": "Other"}}
				delete(d.at("paths"), "/users")
				delete(d.at("paths", "/machines"), "put")
				d.schema("User", "properties")["name"] = map[string]any{"type": "string"}
			},
		},
		{
			name: "a renamed component, which is never on the wire",
			doctor: func(_ *testing.T, d document) {
				rename(d.at("components", "schemas"), "JWK", "Signing.Key")
				d.schema("JWKS", "properties", "keys")["items"] = map[string]any{"$ref": "#/components/schemas/Signing.Key"}
			},
		},
		{
			name: "a renamed optional field of a response",
			doctor: func(_ *testing.T, d document) {
				rename(d.schema("M2MToken", "properties"), "scopes", "granted_scopes")
			},
			at: "POST /m2m_tokens/verify",
			added: []string{
				"response-optional-property-added POST /m2m_tokens/verify: added the optional property `granted_scopes` to the " +
					"response with the `200` status",
				"response-optional-property-removed POST /m2m_tokens/verify: removed the optional property `scopes` from the " +
					"response with the `200` status",
				"upstream-only-property POST /m2m_tokens/verify: `response 200 granted_scopes` is " +
					"`{\"default\":[],\"items\":{\"pattern\":\"^mch_\\\\w{27}$\",\"type\":\"string\"},\"type\":\"array\"}`",
			},
		},
		{
			name: "a new enum value of a response",
			doctor: func(_ *testing.T, d document) {
				d.schema("MachineSecretKeyObject")["enum"] = []any{"machine_secret_key", "machine_secret"}
			},
			added: []string{
				"response-property-enum-value-added GET /machines/{machine_id}/secret_key: added the new `machine_secret` enum " +
					"value to the `object` response property for the response status `200`",
				"response-property-enum-value-added POST /machines/{machine_id}/secret_key/rotate: added the new `machine_secret` " +
					"enum value to the `object` response property for the response status `200`",
			},
		},
		{
			name: "a new enum value of a request",
			doctor: func(_ *testing.T, d document) {
				d.schema("TokenFormat")["enum"] = []any{"opaque", "jwt", "paseto"}
			},
			added: []string{
				"request-property-enum-value-added POST /m2m_tokens: added the new `paseto` enum value to the request property `token_format`",
			},
		},
		{
			name: "a renamed field in one alternative of a union",
			doctor: func(t *testing.T, d document) {
				arm := object(d.schema("OAuthAccessTokenVerification")["anyOf"].([]any)[0])
				rename(object(arm["properties"]), "revocation_reason", "reason")
			},
			added: []string{
				"response-optional-property-added POST /oauth_applications/access_tokens/verify: added the optional property " +
					"`anyOf 1/reason` to the response with the `200` status",
				"response-required-property-removed POST /oauth_applications/access_tokens/verify: removed the required property " +
					"`anyOf 1/revocation_reason` from the response with the `200` status",
				"upstream-only-property POST /oauth_applications/access_tokens/verify: `response 200 anyOf 1 reason` is " +
					"`{\"nullable\":true,\"type\":\"string\"}`",
			},
		},
		{
			name: "another alternative of a union",
			doctor: func(_ *testing.T, d document) {
				union := d.schema("OAuthAccessTokenVerification")
				union["anyOf"] = append(union["anyOf"].([]any), map[string]any{"type": "string", "description": "Words."})
			},
			added: []string{
				"response-optional-property-added POST /oauth_applications/access_tokens/verify: added the optional property " +
					"`anyOf 3` to the response with the `200` status",
				"upstream-only-property POST /oauth_applications/access_tokens/verify: `response 200 anyOf 3` is `{\"type\":\"string\"}`",
			},
		},
		{
			name: "a new enum value where only upstream has a union and an enum",
			doctor: func(_ *testing.T, d document) {
				d.schema("RSAKey", "properties", "kty")["enum"] = []any{"RSA", "RSA-PSS"}
			},
			added: []string{"upstream-only-enum GET /jwks: `response 200 keys [] oneOf RSAKey kty` is one of `[RSA RSA-PSS]`"},
			gone:  []string{"upstream-only-enum GET /jwks: `response 200 keys [] oneOf RSAKey kty` is one of `[RSA]`"},
		},
		{
			name: "a new enum value inside of a field that only upstream has",
			doctor: func(_ *testing.T, d document) {
				d.schema("MachineSummary", "properties", "labels", "items")["enum"] = []any{"red", "blue", "green"}
			},
			at: "PATCH /machines/{machine_id}",
			added: []string{
				"upstream-only-property PATCH /machines/{machine_id}: `response 200 labels` is " +
					"`{\"items\":{\"enum\":[\"red\",\"blue\",\"green\"],\"type\":\"string\"},\"type\":\"array\"}`",
				"upstream-only-property PATCH /machines/{machine_id}: `response 200 scoped_machines [] labels` is " +
					"`{\"items\":{\"enum\":[\"red\",\"blue\",\"green\"],\"type\":\"string\"},\"type\":\"array\"}`",
			},
			gone: []string{
				"upstream-only-property PATCH /machines/{machine_id}: `response 200 labels` is " +
					"`{\"items\":{\"enum\":[\"red\",\"blue\"],\"type\":\"string\"},\"type\":\"array\"}`",
				"upstream-only-property PATCH /machines/{machine_id}: `response 200 scoped_machines [] labels` is " +
					"`{\"items\":{\"enum\":[\"red\",\"blue\"],\"type\":\"string\"},\"type\":\"array\"}`",
			},
		},
		{
			name: "a difference that is no more",
			doctor: func(_ *testing.T, d document) {
				total := d.schema("APIKeyList", "properties", "total_count")
				total["type"], total["format"] = "integer", "int64"
			},
			gone: []string{
				"response-property-type-generalized GET /api_keys: the `total_count` response's property `type/format` was widened " +
					"from `integer/int64` to `number` for status `200`",
			},
		},
		{
			name: "another operationId",
			doctor: func(_ *testing.T, d document) {
				d.at("paths", "/jwks", "get")["operationId"] = "GetKeys"
			},
			added: []string{"api-operation-id-removed GET /jwks: api operation id `GetJWKS` removed and replaced with `GetKeys`"},
		},
		{
			name: "another kind of security scheme",
			doctor: func(_ *testing.T, d document) {
				d.at("components", "securitySchemes")["bearerAuth"] = map[string]any{"type": "apiKey", "in": "header", "name": "X-Key"}
			},
			added: []string{"upstream-only-security-scheme: `bearerAuth` is `{\"in\":\"header\",\"name\":\"X-Key\",\"type\":\"apiKey\"}`"},
			gone:  []string{"upstream-only-security-scheme: `bearerAuth` is `{\"scheme\":\"bearer\",\"type\":\"http\"}`"},
		},
		{
			name: "another server",
			doctor: func(_ *testing.T, d document) {
				d["servers"] = []any{map[string]any{"url": "https://api.clerk.com/v2"}}
			},
			added: []string{"server-added: added the server `https://api.clerk.com/v2`", "server-removed: removed the server `https://api.clerk.com/v1`"},
		},
	} {
		t.Run(c.name, c.run)
	}
}

func rename(m map[string]any, from, to string) {
	m[to] = m[from]
	delete(m, from)
}

// TestNothingPassesUnseen renames each optional field and adds a value to each enum that a spec like upstream's has.
func TestNothingPassesUnseen(t *testing.T) {
	t.Parallel()
	list := recorded(t)
	upstream := upstreamLike(t)
	var fields, values int
	check := func(what, mustName string) {
		t.Helper()
		var d *driftError
		if err := drift(upstream.write(t), list); !errors.As(err, &d) {
			t.Errorf("%s: got %v, want drift", what, err)
		} else if !strings.Contains(strings.Join(d.added, "\n"), mustName) {
			t.Errorf("%s: none of the new lines names %s:\n%s", what, mustName, strings.Join(d.added, "\n"))
		}
	}
	schemas := maps.Clone(upstream.schema())
	delete(schemas, "User") // which no operation of ours reaches
	each(schemas, func(s map[string]any) {
		if enum, ok := s["enum"].([]any); ok {
			values++
			added := any("renewed")
			if s["type"] == "boolean" {
				added = enum[0] == false
			}
			s["enum"] = append(slices.Clone(enum), added)
			check(fmt.Sprint("a value added to ", enum), fmt.Sprint(added))
			s["enum"] = enum
		}
		properties := object(s["properties"])
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if required, _ := s["required"].([]any); slices.Contains(required, any(name)) || s["type"] != "object" {
				continue
			}
			fields++
			rename(properties, name, "renewed_"+name)
			check("a renamed field "+name, "renewed_"+name)
			rename(properties, "renewed_"+name, name)
		}
	})
	t.Logf("%d optional fields renamed, %d enums extended", fields, values)
	if fields < 30 || values < 10 {
		t.Errorf("%d fields and %d enums are fewer than the spec has: this test looks past some", fields, values)
	}
}

func TestVanished(t *testing.T) {
	t.Parallel()
	list := recorded(t)
	before, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	upstream := upstreamLike(t)
	delete(upstream.at("paths"), "/m2m_tokens/verify")
	delete(upstream.at("paths", "/machines"), "get")
	rename(upstream.at("paths"), "/jwks", "/keys")
	for _, flags := range [][]string{nil, {"-update"}} {
		err := drift(upstream.write(t), list, flags...)
		if err == nil {
			t.Fatalf("%v: no error", flags)
		}
		for _, want := range []string{
			"verifyM2MToken (POST /m2m_tokens/verify) vanished",
			"ListMachines (GET /machines) vanished",
			"GetJWKS (GET /jwks) vanished: upstream now has it at GET /keys",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %q does not say %q", flags, err, want)
			}
		}
		if strings.Count(err.Error(), "vanished") != 3 {
			t.Errorf("%v: %q names more than vanished", flags, err)
		}
	}
	if after, err := os.ReadFile(list); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the list was changed (%v)", err)
	}
}

// TestAccept accepts a drift and finds none afterwards.
func TestAccept(t *testing.T) {
	t.Parallel()
	list := recorded(t)
	upstream := upstreamLike(t)
	rename(upstream.schema("M2MToken", "properties"), "scopes", "granted_scopes")
	file := upstream.write(t)
	if err := drift(file, list); err == nil {
		t.Fatal("no drift before it was accepted")
	}
	if err := drift(file, list, "-update"); err != nil {
		t.Fatal(err)
	}
	if err := drift(file, list); err != nil {
		t.Errorf("drift after it was accepted: %v", err)
	}
	first, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := drift(file, list, "-update"); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(list); err != nil || !bytes.Equal(first, second) {
		t.Errorf("accepting the same twice changed the list (%v)", err)
	}
	if err := drift(upstreamLike(t).write(t), list); err == nil {
		t.Error("no drift when upstream took it back")
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.yml")
	if err := os.WriteFile(garbage, []byte("openapi: 3.0.3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no spec", []string{}, "UPSTREAM="},
		{"an empty name", []string{""}, "UPSTREAM="},
		{"two specs", []string{"a", "b"}, "UPSTREAM="},
		{"no such file", []string{"-spec", ourSpec, filepath.Join(dir, "none.yml")}, "none.yml"},
		{"no such spec of ours", []string{"-spec", filepath.Join(dir, "none.yml"), ourSpec}, "none.yml"},
		{"not a spec", []string{"-spec", ourSpec, garbage}, "garbage.yml is not an OpenAPI spec"},
		{"a list that is a folder", []string{"-spec", ourSpec, "-record", dir, ourSpec}, "reading the list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := run(c.args, io.Discard, io.Discard)
			var d *driftError
			if err == nil || errors.As(err, &d) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}
