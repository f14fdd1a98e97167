// Command drift tells how Clerk's own spec differs from ours in ways that nobody recorded as deliberate. It cuts the
// operations of our spec out of a full spec of Clerk's, compares the two with oasdiff, and compares that with the list
// of recorded differences.
//
// It is a module of its own, so that what it needs is never a dependency of the library.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	var drifted *driftError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &drifted):
		fmt.Fprint(os.Stderr, drifted.report())
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "spec-drift:", err)
		os.Exit(2)
	}
}

// run is the command without its process. It gives a *driftError where there is drift.
func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("spec-drift", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: spec-drift [-update] [-spec FILE] [-record FILE] UPSTREAM\n\n"+
			"UPSTREAM is a full spec of Clerk's Backend API, as a file.")
		flags.PrintDefaults()
	}
	spec := flags.String("spec", "openapi/machine-auth.yaml", "our spec")
	list := flags.String("record", "openapi/upstream-differences.txt", "the list of deliberate differences")
	update := flags.Bool("update", false, "write the list instead of comparing with it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || flags.Arg(0) == "" {
		return errors.New("give the path of a full spec of Clerk's Backend API: make spec-drift UPSTREAM=path/to/bapi.yml")
	}
	ours, err := read(*spec)
	if err != nil {
		return err
	}
	theirs, err := read(flags.Arg(0))
	if err != nil {
		return err
	}
	now, err := compare(ours, theirs)
	var gone *vanishedError
	if errors.As(err, &gone) {
		return fmt.Errorf("%s no longer has what %s describes:\n  %s\nTake the operation out of the spec, or follow it to "+
			"where it is now, and run 'make generate'; a list cannot accept this",
			flags.Arg(0), *spec, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	if err != nil {
		return err
	}
	recorded, err := readRecord(*list)
	if err != nil {
		return err
	}
	added, lost := recorded.drift(now)
	if *update {
		recorded.update(now)
		if err := os.WriteFile(*list, recorded.format(), 0o644); err != nil {
			return fmt.Errorf("writing the list: %w", err)
		}
		fmt.Fprintf(stdout, "%s: %d differences, %d new, %d gone\n", *list, len(now), len(added), len(lost))
		if len(added) > 0 {
			fmt.Fprintln(stdout, "Say above the new lines why they are deliberate.")
		}
		return nil
	}
	if len(added)+len(lost) > 0 {
		return &driftError{spec: *spec, list: *list, upstream: flags.Arg(0), added: added, gone: lost}
	}
	fmt.Fprintf(stdout, "%d operations of %s %s compared: no drift; %d differences are recorded in %s\n",
		len(operations(ours)), flags.Arg(0), theirs.Info.Version, len(now), *list)
	if theirs.Info.Version != ours.Info.Version {
		fmt.Fprintf(stdout, "Note: that is version %s; %s says %s.\n", theirs.Info.Version, *spec, ours.Info.Version)
	}
	return nil
}

func read(path string) (*openapi3.T, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a spec: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("%s is not an OpenAPI spec: %w", path, err)
	}
	if doc.Info == nil || doc.Paths.Len() == 0 {
		return nil, fmt.Errorf("%s is not an OpenAPI spec: it has no info or no paths", path)
	}
	return doc, nil
}

// readRecord reads the list; one that does not exist yet is empty.
func readRecord(path string) (*record, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading the list: %w", err)
	}
	return parseRecord(data), nil
}
