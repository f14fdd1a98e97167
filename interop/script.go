package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// script runs one of js/ with input, and gives each line that it prints to take. It is an error when the script fails,
// or does not say at its end that it printed as many as take saw.
func script(ctx context.Context, name string, input any, take func(line []byte) error) error {
	in, err := json.Marshal(input)
	if err != nil {
		return err
	}
	cmd := node(ctx, "js/"+name)
	cmd.Stdin = bytes.NewReader(in)
	log := &tail{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start Node.js: %w", err)
	}
	taken, said := 0, -1
	var errs []error
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var end struct{ End *int }
		if err := json.Unmarshal(lines.Bytes(), &end); err != nil {
			errs = append(errs, fmt.Errorf("%s printed what is no JSON: %s", name, lines.Bytes()))
		} else if end.End != nil {
			said = *end.End
		} else {
			taken++
			errs = append(errs, take(lines.Bytes()))
		}
	}
	errs = append(errs, lines.Err())
	if err := cmd.Wait(); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w\n%s", name, err, log))
	}
	if taken != said {
		errs = append(errs, fmt.Errorf("%s did not come to its end: %d lines, of %d\n%s", name, taken, said, log))
	}
	return errors.Join(errs...)
}
