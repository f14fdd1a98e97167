package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/m2mauth/clerk-m2m/generated"
)

// runOperations has a peer's SDK make its calls to an emulator of its own, and asks the emulator whether all operations
// were called, and not only refused. control is a check that must fail where the emulator is not what the peer was told.
func runOperations(ctx context.Context, r *report, peer string, operations []generated.Operation, run func(context.Context, *report, environment), control string) {
	r.begin(peer, "its calls to the emulator")
	e, err := startEmulator()
	r.check("the emulator starts", err)
	if err != nil {
		return
	}
	defer e.Close()
	run(ctx, r, e.env)
	r.check("all calls reached the emulator and succeeded", called(e, operations))
	r.check("a wrong emulator is noticed", noticed(ctx, run, control))
}

// called tells whether each operation was called with success, and nothing else was.
func called(e *emulator, operations []generated.Operation) error {
	succeeded := map[string]bool{}
	for _, call := range e.Calls() {
		if call.Operation == "" {
			return fmt.Errorf("%s %s is not in the spec", call.Method, call.Path)
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
	if len(missed) > 0 {
		return fmt.Errorf("not %v", missed)
	}
	return nil
}

// noticed runs a peer against an emulator where the machine that may be called is the one that may not.
func noticed(ctx context.Context, run func(context.Context, *report, environment), control string) error {
	e, err := startEmulator()
	if err != nil {
		return err
	}
	defer e.Close()
	env := e.env
	env.Callee, env.Stranger = env.Stranger, env.Callee
	r := &report{out: io.Discard}
	run(ctx, r, env)
	if !slices.ContainsFunc(r.failures, func(line string) bool { return strings.Contains(line, control) }) {
		return fmt.Errorf("%q did not fail", control)
	}
	return nil
}

func without(operations []generated.Operation, id string) []generated.Operation {
	return slices.DeleteFunc(operations, func(op generated.Operation) bool { return op.ID == id })
}
