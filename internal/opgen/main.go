// Command opgen writes the operation table: what the spec says of each operation that the wrapper decides by.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	pkg := flag.String("package", "generated", "the package that the table is written for")
	out := flag.String("o", "operations.gen.go", "the file to write")
	client := flag.String("client", "openapi/client.yaml", "the configuration that the client is generated with, whose names are used")
	flag.Parse()
	if err := run(flag.Arg(0), *client, *pkg, *out); err != nil {
		fmt.Fprintln(os.Stderr, "opgen:", err)
		os.Exit(1)
	}
}

func run(spec, client, pkg, out string) error {
	data, err := os.ReadFile(spec)
	if err != nil {
		return fmt.Errorf("reading the spec: %w", err)
	}
	config, err := os.ReadFile(client)
	if err != nil {
		return fmt.Errorf("reading the client's configuration: %w", err)
	}
	name, err := methodNames(config)
	if err != nil {
		return fmt.Errorf("%s: %w", client, err)
	}
	t, err := readTable(data, name)
	if err != nil {
		return fmt.Errorf("%s: %w", spec, err)
	}
	src, err := t.source(pkg)
	if err != nil {
		return err
	}
	return os.WriteFile(out, src, 0o644)
}
