package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/m2mauth/clerk-m2m/generated"
)

// runOperations has a peer's SDK make its calls to an emulator of its own, and asks the emulator whether all operations
// were called, and not only refused.
func runOperations(ctx context.Context, r *report, peer string, operations []generated.Operation, run func(context.Context, *report, environment)) {
	r.begin(peer, "its calls to the emulator")
	e, err := startEmulator()
	r.check("the emulator starts", err)
	if err != nil {
		return
	}
	defer e.Close()
	run(ctx, r, e.env)

	succeeded := map[string]bool{}
	for _, call := range e.Calls() {
		if call.Operation == "" {
			r.check("calls what the spec has", fmt.Errorf("%s %s is not in the spec", call.Method, call.Path))
		}
		if call.Status/100 == 2 {
			succeeded[call.Operation] = true
		}
	}
	var missed []string
	for _, op := range operations {
		if !succeeded[op.ID] {
			missed = append(missed, op.ID)
		}
	}
	err = nil
	if len(missed) > 0 {
		err = fmt.Errorf("it did not succeed with %v", missed)
	}
	r.check(fmt.Sprintf("%d operations of %d were called and succeeded", len(operations)-len(missed), len(operations)), err)
}

func without(operations []generated.Operation, id string) []generated.Operation {
	return slices.DeleteFunc(operations, func(op generated.Operation) bool { return op.ID == id })
}
