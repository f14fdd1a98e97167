package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/m2mauth/clerk-m2m/generated"
)

const (
	committedSpec   = "../../openapi/machine-auth.yaml"
	committedClient = "../../openapi/client.yaml"
	committedTable  = "../../generated/operations.gen.go"
)

// Nothing here is parallel: oapi-codegen keeps its configuration in variables of its package.

// small is a spec that the generator takes. Each case breaks it in one place.
const small = `openapi: 3.0.3
info: {title: Small, version: "2026-05-12"}
servers: [{url: https://api.example.com/v1}]
paths:
  /tokens:
    get:
      operationId: listTokens
      x-retry-safe: true
      security: [{machineSecretKey: []}, {secretKey: []}]
      responses:
        "200": {$ref: "#/components/responses/Token"}
        default: {description: An error}
    post:
      operationId: createToken
      x-retry-safe: false
      security: [{secretKey: []}]
      responses:
        "201": {$ref: "#/components/responses/Token"}
components:
  responses:
    Token:
      description: A token
      content: {application/json: {schema: {type: object, required: [id], properties: {id: {type: string}}}}}
  securitySchemes:
    machineSecretKey: {type: http, scheme: bearer}
    secretKey: {type: http, scheme: bearer}
    basic: {type: http, scheme: basic}
`

const (
	atList   = "line 6: listTokens (GET /tokens): "
	atCreate = "line 13: createToken (POST /tokens): "
)

type refusal struct {
	name     string
	old, new string // what is put in the place of what, once
	want     string // the whole error, or what it has in it where it is not ours
}

func (c refusal) run(t *testing.T) {
	if strings.Count(small, c.old) == 0 {
		t.Fatalf("the spec does not have %q", c.old)
	}
	dir := t.TempDir()
	spec, out := filepath.Join(dir, "spec.yaml"), filepath.Join(dir, "out.go")
	if err := os.WriteFile(spec, []byte(strings.Replace(small, c.old, c.new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	err := run(spec, committedClient, "small", out)
	if err == nil {
		t.Fatalf("no error, want %q", c.want)
	}
	if got := err.Error(); got != spec+": "+c.want {
		t.Errorf("got:\n%s\nwant:\n%s", got, spec+": "+c.want)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused spec left a file behind (%v)", err)
	}
}

func TestRefuses(t *testing.T) {
	list, create := "[{machineSecretKey: []}, {secretKey: []}]", "security: [{secretKey: []}]"
	for _, c := range []refusal{
		{
			name: "a scheme that is declared but unknown to the wrapper",
			old:  create, new: "security: [{basic: []}]",
			want: atCreate + `lists the unknown security scheme "basic"`,
		},
		{
			name: "a scheme that is known but not declared",
			old:  "    secretKey: {type: http, scheme: bearer}\n", new: "",
			want: atList + `lists the unknown security scheme "secretKey"` + "\n" +
				atCreate + `lists the unknown security scheme "secretKey"`,
		},
		{
			name: "an AND of schemes",
			old:  list, new: "[{machineSecretKey: [], secretKey: []}]",
			want: atList + "needs 2 schemes together (an AND); one request carries one credential",
		},
		{
			name: "an AND beside an alternative that is none",
			old:  list, new: "[{secretKey: []}, {machineSecretKey: [], secretKey: []}]",
			want: atList + "needs 2 schemes together (an AND); one request carries one credential",
		},
		{
			name: "no credential as an alternative",
			old:  list, new: "[{secretKey: []}, {}]",
			want: atList + "lets a request without a credential pass, which the table cannot say",
		},
		{
			name: "no security",
			old:  "      " + create + "\n", new: "",
			want: atCreate + "lists no security scheme, so nothing says which credential it takes",
		},
		{
			name: "empty security",
			old:  create, new: "security: []",
			want: atCreate + "lists no security scheme, so nothing says which credential it takes",
		},
		{
			name: "no x-retry-safe",
			old:  "      x-retry-safe: false\n", new: "",
			want: atCreate + "needs x-retry-safe: true or false",
		},
		{
			name: "x-retry-safe that is not a boolean",
			old:  "x-retry-safe: true", new: `x-retry-safe: "true"`,
			want: atList + "needs x-retry-safe: true or false",
		},
		{
			name: "two statuses of a success",
			old:  `"201": {$ref: "#/components/responses/Token"}`,
			new:  "\"201\": {$ref: \"#/components/responses/Token\"}\n        \"202\": {description: Later}",
			want: atCreate + "declares more than one 2xx status",
		},
		{
			name: "a range of statuses",
			old:  `"201"`, new: `"2XX"`,
			want: atCreate + `declares the status "2XX"; a number is needed`,
		},
		{
			name: "no status of a success",
			old:  `"201"`, new: `"301"`,
			want: atCreate + "declares no 2xx status",
		},
		{
			name: "a status and a range of statuses",
			old:  `default: {description: An error}`, new: `"2XX": {description: Also}`,
			want: atList + "declares more than one 2xx status",
		},
		{
			name: "no responses",
			old:  "      responses:\n        \"201\": {$ref: \"#/components/responses/Token\"}\n", new: "",
			want: atCreate + "declares no 2xx status",
		},
		{
			name: "a success without a body",
			old:  `"201": {$ref: "#/components/responses/Token"}`, new: `"201": {description: Made}`,
			want: atCreate + "declares no JSON body for its success",
		},
		{
			name: "an operation without an id",
			old:  "      operationId: createToken\n", new: "",
			want: "line 13:  (POST /tokens): has no operationId",
		},
		{
			name: "two operations of one name in Go",
			old:  "createToken", new: "ListTokens",
			want: "line 13: ListTokens (POST /tokens): is named ListTokens, as listTokens is",
		},
		{
			name: "all problems at once, by line",
			old:  small[strings.Index(small, "      security: "):strings.Index(small, "components:")],
			new: `      security: [{basic: []}]
      responses:
        "200": {$ref: "#/components/responses/Token"}
    post:
      operationId: createToken
      x-retry-safe: false
      security: []
      responses:
        "201": {$ref: "#/components/responses/Token"}
`,
			want: atList + `lists the unknown security scheme "basic"` + "\n" +
				"line 12: createToken (POST /tokens): lists no security scheme, so nothing says which credential it takes",
		},
		{
			name: "no server",
			old:  "servers: [{url: https://api.example.com/v1}]\n", new: "",
			want: "the spec names no server",
		},
	} {
		t.Run(c.name, c.run)
	}
}

func TestRefusesFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	missing := filepath.Join(dir, "missing")
	notSpec := write("not.yaml", "openapi: 3.0.3\n")
	unknown := write("unknown.yaml", "output-options: {name-normalizer: ToShoutingCase}\n")
	spec := write("small.yaml", small)
	for _, c := range []struct{ name, spec, client, want string }{
		{"no spec", missing, committedClient, missing},
		{"no configuration", spec, missing, missing},
		{"not a spec", notSpec, committedClient, notSpec},
		{"an unknown way to make names", spec, unknown, "ToShoutingCase"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := run(c.spec, c.client, "small", filepath.Join(dir, "out.go"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}

// generate gives what the generator makes of a spec.
func generate(t *testing.T, spec []byte) []byte {
	t.Helper()
	config, err := os.ReadFile(committedClient)
	if err != nil {
		t.Fatal(err)
	}
	name, err := methodNames(config)
	if err != nil {
		t.Fatal(err)
	}
	table, err := readTable(spec, name)
	if err != nil {
		t.Fatal(err)
	}
	src, err := table.source("generated")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := table.source("generated"); err != nil || !bytes.Equal(src, again) {
		t.Fatalf("the same table gives other source the second time (%v)", err)
	}
	return src
}

func TestSameInputSameBytes(t *testing.T) {
	spec, err := os.ReadFile(committedSpec)
	if err != nil {
		t.Fatal(err)
	}
	first := generate(t, spec)
	for range 5 { // paths and responses are maps on the way
		if !bytes.Equal(first, generate(t, spec)) {
			t.Fatal("the same spec gives other source")
		}
	}
}

func TestCommittedTableIsWhatTheSpecGives(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.go")
	if err := run(committedSpec, committedClient, "generated", out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(committedTable)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, committed) {
		t.Errorf("%s is out of date: run 'make generate'", committedTable)
	}
}

// TestSmallTable shows that the table follows the spec: credentials, retries and status.
func TestSmallTable(t *testing.T) {
	src := string(generate(t, []byte(small)))
	for _, want := range []string{
		`const APIVersion = "2026-05-12"`,
		`const ServerURL = "https://api.example.com/v1"`,
		"Credentials: CredentialKindMachineSecretKey | CredentialKindSecretKey, RetrySafe: true,\n\t\tStatus: 200,",
		"Credentials: CredentialKindSecretKey, RetrySafe: false,\n\t\tStatus: 201,",
		`Required: []string{"id"}`,
	} {
		if !strings.Contains(src, want) {
			t.Errorf("not in the table: %s", want)
		}
	}
	// A member that is required but not described tells nothing.
	undescribed := strings.Replace(small, "required: [id]", "required: [id, tokens]", 1)
	if got := string(generate(t, []byte(undescribed))); got != src {
		t.Errorf("an undescribed member changed the table:\n%s", got)
	}
	if strings.Index(src, "OpCreateToken,") > strings.Index(src, "OpListTokens,") {
		t.Error("the operations are not ordered by id")
	}
}

// TestNamesAreTheClientsMethods compares the names of all Op variables with the methods of the generated client.
func TestNamesAreTheClientsMethods(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), committedTable, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, ident := range v.Names {
				if name, ok := strings.CutPrefix(ident.Name, "Op"); ok {
					names = append(names, name)
				}
			}
		}
		return true
	})
	var methods []string
	client := reflect.TypeFor[*generated.Client]()
	for i := range client.NumMethod() {
		methods = append(methods, strings.TrimSuffix(client.Method(i).Name, "WithBody"))
	}
	slices.Sort(names)
	slices.Sort(methods)
	methods = slices.Compact(methods)
	if !slices.Equal(names, methods) {
		t.Errorf("operations: %q\nmethods: %q", names, methods)
	}
	if len(names) == 0 || len(names) != len(generated.Operations()) {
		t.Errorf("%d names, but %d operations in the table", len(names), len(generated.Operations()))
	}
}

// TestMethodNames shows that the names follow the client's configuration.
func TestMethodNames(t *testing.T) {
	for _, c := range []struct{ config, id, want string }{
		{"output-options: {name-normalizer: ToCamelCaseWithInitialisms, additional-initialisms: [JWKS]}", "get-jwks-by-api-key", "GetJWKSByAPIKey"},
		{"output-options: {name-normalizer: ToCamelCaseWithInitialisms}", "get-jwks-by-api-key", "GetJwksByAPIKey"},
		{"output-options: {name-normalizer: ToCamelCase}", "get-jwks-by-api-key", "GetJwksByApiKey"},
		{"package: generated", "get-jwks", "GetJwks"},
	} {
		name, err := methodNames([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		if got := name(c.id); got != c.want {
			t.Errorf("%s: got %s, want %s", c.config, got, c.want)
		}
	}
}
