package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// operation names one operation of a spec.
type operation struct{ id, method, path string }

func (o operation) String() string { return fmt.Sprintf("%s (%s %s)", o.id, o.method, o.path) }

// operations lists the operations of a spec, ordered by path and method.
func operations(doc *openapi3.T) []operation {
	var ops []operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			ops = append(ops, operation{op.OperationID, method, path})
		}
	}
	slices.SortFunc(ops, func(a, b operation) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method))
	})
	return ops
}

// vanishedError says that upstream no longer has an operation where our spec has it.
type vanishedError struct {
	operation operation
	now       *operation // the operation of the same id that upstream has elsewhere; nil where it has none
}

func (e *vanishedError) Error() string {
	if e.now != nil {
		return fmt.Sprintf("%s vanished: upstream now has it at %s %s", e.operation, e.now.method, e.now.path)
	}
	return fmt.Sprintf("%s vanished: upstream has no operation there, and none of that id elsewhere", e.operation)
}

// vanished gives a vanishedError, joined, for each operation of want that doc does not have.
func vanished(doc *openapi3.T, want []operation) error {
	there := operations(doc)
	var errs []error
	for _, w := range want {
		if slices.ContainsFunc(there, func(o operation) bool { return o.method == w.method && o.path == w.path }) {
			continue
		}
		e := &vanishedError{operation: w}
		if i := slices.IndexFunc(there, func(o operation) bool { return o.id == w.id }); i >= 0 {
			e.now = &there[i]
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}
