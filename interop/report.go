package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// report prints one line per check as it is made, and counts them. It is used by one goroutine.
type report struct {
	out            io.Writer
	part           string
	passed, failed int
	failures       []string
}

// begin starts a part of the run: a heading, and the word before its checks.
func (r *report) begin(part, about string) {
	r.part = part
	fmt.Fprintf(r.out, "\n== %s: %s\n", part, about)
}

// check counts one check: it failed when err is not nil.
func (r *report) check(name string, err error) {
	line := r.part + ": " + name
	if err == nil {
		r.passed++
		fmt.Fprintln(r.out, "ok    "+line)
		return
	}
	r.failed++
	line += ": " + strings.ReplaceAll(err.Error(), "\n", "\n      ")
	r.failures = append(r.failures, line)
	fmt.Fprintln(r.out, "FAIL  "+line)
}

// note prints something that a reader should know and that is no check.
func (r *report) note(format string, args ...any) {
	fmt.Fprintf(r.out, "note  "+r.part+": "+format+"\n", args...)
}

// close repeats the failures and prints the count. The error says that there were any, or no check at all.
func (r *report) close() error {
	if r.failed > 0 {
		fmt.Fprintln(r.out, "\nFailed:")
		for _, line := range r.failures {
			fmt.Fprintln(r.out, "  "+line)
		}
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed\n", r.passed, r.failed)
	switch {
	case r.failed > 0:
		return fmt.Errorf("%d checks failed", r.failed)
	case r.passed == 0:
		return errors.New("no check was made")
	}
	return nil
}
