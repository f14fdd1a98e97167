package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// kinds are the credentials that the wrapper can present, by the name of their security scheme, in the order in
// which it prefers them.
var kinds = []struct{ scheme, name, doc string }{
	{"machineSecretKey", "MachineSecretKey", "the secret key of one machine"},
	{"secretKey", "SecretKey", "the secret key of the instance"},
}

type operation struct {
	Name, ID, Method, Path, Summary string
	Credentials                     []string // names of kinds
	RetrySafe                       bool
	Status                          int
	Object, List                    string
	Required                        []string
}

type table struct {
	Version, Server string
	Operations      []operation
}

// readTable reads a spec and refuses one that the table cannot tell truthfully. Every problem is reported, each with
// the operation and its line.
func readTable(spec []byte) (*table, error) {
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	doc, err := loader.LoadFromData(spec)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, err
	}
	if len(doc.Servers) == 0 {
		return nil, errors.New("the spec names no server")
	}
	t := &table{Version: doc.Info.Version, Server: doc.Servers[0].URL}
	var problems []error
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o, err := readOperation(doc, method, path, op)
			if err != nil {
				problems = append(problems, fmt.Errorf("line %d: %s (%s %s): %w", line(op), op.OperationID, method, path, err))
			}
			t.Operations = append(t.Operations, o)
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	slices.SortFunc(t.Operations, func(a, b operation) int { return cmp.Compare(a.ID, b.ID) })
	return t, errors.Join(problems...)
}

func line(op *openapi3.Operation) int {
	if op.Origin == nil || op.Origin.Key == nil {
		return 0
	}
	return op.Origin.Key.Line
}

func readOperation(doc *openapi3.T, method, path string, op *openapi3.Operation) (operation, error) {
	o := operation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary}
	if o.ID == "" {
		return o, errors.New("has no operationId")
	}
	o.Name = exported(o.ID)
	var err error
	if o.Credentials, err = credentials(doc, op); err != nil {
		return o, err
	}
	safe, ok := op.Extensions["x-retry-safe"].(bool)
	if !ok {
		return o, errors.New("needs x-retry-safe: true or false")
	}
	o.RetrySafe = safe
	return o, readSuccess(op, &o)
}

// credentials gives the kinds of credential that an operation takes, any one of them.
func credentials(doc *openapi3.T, op *openapi3.Operation) ([]string, error) {
	security := doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	if len(security) == 0 {
		return nil, errors.New("lists no security scheme, so nothing says which credential it takes")
	}
	listed := map[string]bool{}
	for _, alternative := range security {
		if len(alternative) != 1 {
			return nil, fmt.Errorf("needs %d schemes together (an AND); one request carries one credential", len(alternative))
		}
		for scheme := range alternative {
			if !slices.ContainsFunc(kinds, func(k struct{ scheme, name, doc string }) bool { return k.scheme == scheme }) ||
				doc.Components.SecuritySchemes[scheme] == nil {
				return nil, fmt.Errorf("lists the unknown security scheme %q", scheme)
			}
			listed[scheme] = true
		}
	}
	var names []string
	for _, k := range kinds {
		if listed[k.scheme] {
			names = append(names, k.name)
		}
	}
	return names, nil
}

// readSuccess reads what proves that an operation succeeded: its one 2xx status, the object that the reply must say
// it is, the ids and credentials that must be in it, or the member that holds a list of such objects.
func readSuccess(op *openapi3.Operation, o *operation) error {
	var success *openapi3.Response
	for code, ref := range op.Responses.Map() {
		if !strings.HasPrefix(code, "2") {
			continue
		}
		if success != nil {
			return errors.New("declares more than one 2xx status")
		}
		status, err := strconv.Atoi(code)
		if err != nil {
			return fmt.Errorf("declares the status %q; a number is needed", code)
		}
		o.Status, success = status, ref.Value
	}
	if success == nil {
		return errors.New("declares no 2xx status")
	}
	media := success.Content.Get("application/json")
	if media == nil || media.Schema == nil {
		return errors.New("declares no JSON body for its success")
	}
	schema := media.Schema.Value
	if len(schema.AnyOf) > 0 {
		schema = schema.AnyOf[0].Value
	}
	properties, required := members(schema)
	for _, name := range required {
		if p := properties[name].Value; p.Type.Is("array") && p.Items != nil && isObject(p.Items.Value) && o.List == "" && properties["object"] == nil {
			o.List = name
			properties, required = members(p.Items.Value)
			break
		}
	}
	o.Object = enum(properties["object"])
	for _, name := range required {
		if name == "id" || name == "subject" || strings.HasSuffix(name, "_id") || isSecret(properties[name]) {
			o.Required = append(o.Required, name)
		}
	}
	slices.Sort(o.Required)
	return nil
}

// members gives the properties of an object schema and the names of the required ones, those of allOf included.
func members(s *openapi3.Schema) (map[string]*openapi3.SchemaRef, []string) {
	properties := map[string]*openapi3.SchemaRef{}
	required := slices.Clone(s.Required)
	for name, p := range s.Properties {
		properties[name] = p
	}
	for _, part := range s.AllOf {
		p, r := members(part.Value)
		for name, ref := range p {
			properties[name] = ref
		}
		required = append(required, r...)
	}
	slices.Sort(required)
	return properties, slices.Compact(required)
}

func isObject(s *openapi3.Schema) bool { return s.Type.Is("object") || len(s.AllOf) > 0 }

func isSecret(ref *openapi3.SchemaRef) bool {
	return ref != nil && strings.HasSuffix(ref.Ref, "/Secret")
}

func enum(ref *openapi3.SchemaRef) string {
	if ref == nil || len(ref.Value.Enum) != 1 {
		return ""
	}
	s, _ := ref.Value.Enum[0].(string)
	return s
}

// exported spells an operationId as oapi-codegen does with the initialisms of openapi/client.yaml, which is where
// the client's methods get their names.
func exported(id string) string {
	name := codegen.ToCamelCaseWithInitialisms(id)
	for _, initialism := range []string{"Api", "Jwks"} {
		name = strings.ReplaceAll(name, initialism, strings.ToUpper(initialism))
	}
	return name
}
