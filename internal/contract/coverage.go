package contract

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Coverage says which operations and declared statuses have passed a [Transport].
type Coverage struct {
	Operations []OperationCoverage // ordered by id
}

// OperationCoverage is the coverage of one operation.
type OperationCoverage struct {
	ID       string
	Declared []int       // the statuses that the spec names
	Seen     map[int]int // how many replies of each status passed
}

// Coverage gives what has passed so far.
func (t *Transport) Coverage() Coverage {
	t.mu.Lock()
	defer t.mu.Unlock()
	declared := t.spec.Statuses()
	var c Coverage
	for _, id := range slices.Sorted(maps.Keys(declared)) {
		op := OperationCoverage{ID: id, Seen: maps.Clone(t.seen[id])}
		for _, status := range declared[id] {
			if n, err := strconv.Atoi(status); err == nil {
				op.Declared = append(op.Declared, n)
			}
		}
		c.Operations = append(c.Operations, op)
	}
	return c
}

// Missing names the operations of which no declared success has passed.
func (c Coverage) Missing() []string {
	var missing []string
	for _, op := range c.Operations {
		switch {
		case len(op.Seen) == 0:
			missing = append(missing, op.ID+" was never called")
		case !slices.ContainsFunc(op.Declared, func(status int) bool { return status < 300 && op.Seen[status] > 0 }):
			missing = append(missing, op.ID+" never succeeded")
		}
	}
	return missing
}

// String gives the counts, and below them the statuses of each operation.
func (c Coverage) String() string {
	var b strings.Builder
	var operations, successes, failures, failuresDeclared int
	var lines strings.Builder
	for _, op := range c.Operations {
		if len(op.Seen) > 0 {
			operations++
		}
		fmt.Fprintf(&lines, "  %-24s", op.ID)
		for _, status := range op.Declared {
			seen := op.Seen[status]
			switch {
			case status >= 300:
				failuresDeclared++
				failures += min(seen, 1)
			default:
				successes += min(seen, 1)
			}
			fmt.Fprintf(&lines, " %d:%d", status, seen)
		}
		for _, status := range slices.Sorted(maps.Keys(op.Seen)) {
			if !slices.Contains(op.Declared, status) {
				fmt.Fprintf(&lines, " (%d:%d)", status, op.Seen[status])
			}
		}
		lines.WriteString("\n")
	}
	fmt.Fprintf(&b, "operations %d/%d, declared successes %d/%d, declared failures %d/%d\n",
		operations, len(c.Operations), successes, len(c.Operations), failures, failuresDeclared)
	b.WriteString(lines.String())
	return b.String()
}
