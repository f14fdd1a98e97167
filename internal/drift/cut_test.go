package main

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

const library = `
openapi: 3.0.3
info: {title: Library, version: "1"}
security: [{reader: []}]
paths:
  /books/{id}:
    parameters: [{$ref: "#/components/parameters/ID"}]
    get:
      operationId: getBook
      responses: {"200": {$ref: "#/components/responses/Book"}}
    delete:
      operationId: deleteBook
      security: [{librarian: []}]
      responses: {"204": {description: Gone, headers: {Reason: {$ref: "#/components/headers/Reason"}}}}
  /empty: {}
components:
  parameters:
    ID: {name: id, in: path, required: true, schema: {$ref: "#/components/schemas/a~1b"}}
  headers:
    Reason: {schema: {type: string}}
  responses:
    Book: {description: A book, content: {application/json: {schema: {$ref: "#/components/schemas/Book"}}}}
  schemas:
    a/b: {type: string}
    Book:
      type: object
      properties:
        author: {$ref: "#/components/schemas/Author"}
        sequel: {$ref: "#/components/schemas/Book"}
    Author: {type: object, properties: {books: {type: array, items: {$ref: "#/components/schemas/Book"}}}}
    Shelf: {type: object}
  securitySchemes:
    reader: {type: http, scheme: bearer}
    librarian: {type: http, scheme: basic}
`

func TestCut(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(library))
	if err != nil {
		t.Fatal(err)
	}
	data, err := cut(doc, []operation{{"getBook", "GET", "/books/{id}"}})
	if err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if paths := got.paths(); !slices.Equal(paths, []string{"/books/{id}"}) {
		t.Errorf("paths %q", paths)
	}
	if members := slices.Sorted(maps.Keys(got.at("paths", "/books/{id}"))); !slices.Equal(members, []string{"get", "parameters"}) {
		t.Errorf("members of the path %q", members)
	}
	// Book is inside of itself, so it stays a component; the rest was put where it was referred to.
	for kind, want := range map[string][]string{"schemas": {"Author", "Book"}, "securitySchemes": {"reader"}} {
		if names := slices.Sorted(maps.Keys(got.at("components", kind))); !slices.Equal(names, want) {
			t.Errorf("%s %q, want %q", kind, names, want)
		}
	}
	if kinds := slices.Sorted(maps.Keys(got.at("components"))); len(kinds) != 2 {
		t.Errorf("components %q", kinds)
	}
	if _, err := openapi3.NewLoader().LoadFromData(data); err != nil {
		t.Errorf("the cut refers to what is not in it: %v", err)
	}
	parameter := object(got.at("paths", "/books/{id}")["parameters"].([]any)[0])
	if object(parameter["schema"])["type"] != "string" {
		t.Errorf("the parameter was not put in place: %v", parameter)
	}
	again, err := cut(doc, []operation{{"getBook", "GET", "/books/{id}"}})
	if err != nil || string(again) != string(data) {
		t.Errorf("another cut of the same is different (%v)", err)
	}
}

// TestCutOfItself compares a spec whose schemas hold themselves with itself and with one whose inside changed.
func TestCutOfItself(t *testing.T) {
	t.Parallel()
	load := func(change func(document)) *openapi3.T {
		doc, err := openapi3.NewLoader().LoadFromData([]byte(library))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var d document
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatal(err)
		}
		change(d)
		if data, err = json.Marshal(d); err != nil {
			t.Fatal(err)
		}
		if doc, err = openapi3.NewLoader().LoadFromData(data); err != nil {
			t.Fatal(err)
		}
		return doc
	}
	same, err := compare(load(func(document) {}), load(func(document) {}))
	if err != nil || len(same) > 0 {
		t.Errorf("compared with itself: %q, %v", same, err)
	}
	changed, err := compare(load(func(document) {}), load(func(d document) {
		rename(d.schema("Author", "properties"), "books", "works")
	}))
	if err != nil || len(changed) == 0 {
		t.Errorf("compared with a changed one: %q, %v", changed, err)
	}
}
