package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mauth/clerk-m2m/wrapper"
)

// app holds the flags that every command has.
type app struct {
	json                          bool
	secretKeyFile, machineKeyFile string
}

// client makes a client of the environment and the key files.
func (a *app) client(opts ...wrapper.Option) (*wrapper.Client, error) {
	for _, f := range []struct {
		path   string
		option func(string) wrapper.Option
	}{{a.secretKeyFile, wrapper.WithSecretKey}, {a.machineKeyFile, wrapper.WithMachineSecretKey}} {
		if f.path == "" {
			continue
		}
		key, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("reading a key: %w", err)
		}
		opts = append(opts, f.option(strings.TrimSpace(string(key))))
	}
	return wrapper.New(opts...)
}

// maxInput bounds what is read from stdin or a file: far more than any token or request head.
const maxInput = 1 << 20

// input reads the file that args names, or stdin where it names none or "-".
func input(cmd *cobra.Command, args []string) (string, error) {
	in := cmd.InOrStdin()
	if len(args) > 0 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return "", fmt.Errorf("%w; give a file, or the token on stdin, since other users can see command lines", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxInput:
		return "", fmt.Errorf("the input is larger than %d bytes", maxInput)
	case len(strings.TrimSpace(string(b))) == 0:
		return "", errors.New("nothing on the input; give a token on stdin or in a file")
	}
	return string(b), nil
}

// out prints rows as a table, or values as JSON, one a line. Rows come out as they are added, so that a long list
// streams.
type out struct {
	w      io.Writer
	json   bool
	header []string
	table  *tabwriter.Writer
	rows   int
}

func (a *app) out(cmd *cobra.Command, header ...string) *out {
	return &out{w: cmd.OutOrStdout(), json: a.json, header: header}
}

// add prints value as JSON, or row in the table.
func (o *out) add(value any, row ...string) error {
	if o.json {
		return json.NewEncoder(o.w).Encode(value)
	}
	if o.table == nil {
		o.table = tabwriter.NewWriter(o.w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(o.table, strings.Join(o.header, "\t"))
	}
	fmt.Fprintln(o.table, strings.Join(row, "\t"))
	// Columns align within a block; a long list is not held back for the widest row of all.
	if o.rows++; o.rows%100 == 0 {
		return o.table.Flush()
	}
	return nil
}

func (o *out) done() error {
	if o.table == nil {
		if !o.json {
			fmt.Fprintln(o.w, "none")
		}
		return nil
	}
	return o.table.Flush()
}

// printOne prints one value, or the table of its one row.
func (a *app) printOne(cmd *cobra.Command, header []string, value any, row []string) error {
	o := a.out(cmd, header...)
	return errors.Join(o.add(value, row...), o.done())
}

// at gives a time of the API's in words.
func at(ms *int64) string {
	if ms == nil {
		return "never"
	}
	return time.UnixMilli(*ms).UTC().Format(time.RFC3339)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
