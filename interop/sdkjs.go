package main

import (
	"context"
	"encoding/json"
	"errors"
)

// runJSSDK makes every machine-auth call that @clerk/backend has.
func runJSSDK(ctx context.Context, r *report, env environment) {
	err := script(ctx, "operations.mjs", env, func(line []byte) error {
		var c struct{ Check, Error string }
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		var failed error
		if c.Error != "" {
			failed = errors.New(c.Error)
		}
		r.check(c.Check, failed)
		return nil
	})
	r.check("the script came to its end", err)
}
