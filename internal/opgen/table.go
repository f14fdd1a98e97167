package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// kinds are the credentials that the wrapper can present, by the name of their security scheme, in the order in
// which it prefers them.
var kinds = []struct{ scheme, name, doc string }{
	{"machineSecretKey", "MachineSecretKey", "the secret key of one machine"},
	{"secretKey", "SecretKey", "the secret key of the instance"},
}

type operation struct {
	Name, ID, Method, Path, Summary string
	Line                            int      // where the spec has it
	Credentials                     []string // names of kinds
	RetrySafe                       bool
	Status                          int
	Object, List                    string
	Required                        []string
	spec                            *openapi3.Operation
}

type table struct {
	Version, Server string
	Operations      []operation
	Secret          []string // the models that hold a credential
}

// readTable reads a spec and refuses one that the table cannot tell truthfully. Every problem is reported, each with
// the operation and its line. The name of an operation is what name makes of its id.
func readTable(spec []byte, name func(id string) string) (*table, error) {
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	doc, err := loader.LoadFromData(spec)
	if err != nil {
		return nil, err
	}
	// Before Validate, which names neither the operation nor its line.
	operations, err := readOperations(doc, name)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, err
	}
	if len(doc.Servers) == 0 {
		return nil, errors.New("the spec names no server")
	}
	return &table{Version: doc.Info.Version, Server: doc.Servers[0].URL, Operations: operations, Secret: secretModels(doc, name)}, nil
}

// readOperations gives the operations of a spec, ordered by id, and what is wrong with them, ordered by line.
func readOperations(doc *openapi3.T, name func(id string) string) ([]operation, error) {
	var operations []operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			operations = append(operations, operation{ID: op.OperationID, Method: method, Path: path, Line: line(op), spec: op})
		}
	}
	slices.SortFunc(operations, func(a, b operation) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	var problems []error
	named := map[string]string{}
	for i := range operations {
		o := &operations[i]
		err := o.read(doc, name)
		if other, ok := named[o.Name]; ok && err == nil {
			err = fmt.Errorf("is named %s, as %s is", o.Name, other)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %s (%s %s): %w", o.Line, o.ID, o.Method, o.Path, err))
		}
		named[o.Name] = o.ID
	}
	slices.SortFunc(operations, func(a, b operation) int { return cmp.Compare(a.ID, b.ID) })
	return operations, errors.Join(problems...)
}

func line(op *openapi3.Operation) int {
	if op.Origin == nil || op.Origin.Key == nil {
		return 0
	}
	return op.Origin.Key.Line
}

// read reads what the spec says of an operation whose id, method and path are known.
func (o *operation) read(doc *openapi3.T, name func(id string) string) error {
	if o.ID == "" {
		return errors.New("has no operationId")
	}
	o.Name, o.Summary = name(o.ID), o.spec.Summary
	var err error
	if o.Credentials, err = credentials(doc, o.spec); err != nil {
		return err
	}
	safe, ok := o.spec.Extensions["x-retry-safe"].(bool)
	if !ok {
		return errors.New("needs x-retry-safe: true or false")
	}
	o.RetrySafe = safe
	return o.readSuccess()
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
	taken := map[string]bool{}
	for _, alternative := range security {
		if len(alternative) == 0 {
			return nil, errors.New("lets a request without a credential pass, which the table cannot say")
		}
		if len(alternative) > 1 {
			return nil, fmt.Errorf("needs %d schemes together (an AND); one request carries one credential", len(alternative))
		}
		for scheme := range alternative {
			if !slices.ContainsFunc(kinds, func(k struct{ scheme, name, doc string }) bool { return k.scheme == scheme }) ||
				doc.Components == nil || doc.Components.SecuritySchemes[scheme] == nil {
				return nil, fmt.Errorf("lists the unknown security scheme %q", scheme)
			}
			taken[scheme] = true
		}
	}
	var names []string
	for _, k := range kinds {
		if taken[k.scheme] {
			names = append(names, k.name)
		}
	}
	return names, nil
}

// readSuccess reads what proves that an operation succeeded: its one 2xx status, the object that the reply must say
// it is, the ids and credentials that must be in it, or the member that holds a list of such objects.
func (o *operation) readSuccess() error {
	var success *openapi3.Response
	responses := o.spec.Responses.Map()
	for _, code := range slices.Sorted(maps.Keys(responses)) {
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
		o.Status, success = status, responses[code].Value
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
		if items := listed(properties[name]); items != nil && properties["object"] == nil {
			o.List = name
			properties, required = members(items)
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

// listed gives the schema of the objects that a property lists; nil where it lists none.
func listed(p *openapi3.SchemaRef) *openapi3.Schema {
	if p == nil || !p.Value.Type.Is("array") || p.Value.Items == nil {
		return nil
	}
	items := p.Value.Items.Value
	if !items.Type.Is("object") && len(items.AllOf) == 0 {
		return nil
	}
	return items
}

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
