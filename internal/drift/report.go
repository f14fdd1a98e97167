package main

import (
	"fmt"
	"strings"
)

// driftError says that upstream differs otherwise than the list records.
type driftError struct {
	spec, list, upstream string
	added, gone          []string
}

func (e *driftError) Error() string {
	return fmt.Sprintf("%s has drifted: %d new differences, %d gone", e.upstream, len(e.added), len(e.gone))
}

// report tells a person what drifted and what to do next.
func (e *driftError) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s differs from %s otherwise than %s records.\n", e.upstream, e.spec, e.list)
	part := func(sign, title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s (%d)\n", title, len(lines))
		for _, l := range lines {
			fmt.Fprintf(&b, "%s %s\n", sign, l)
		}
	}
	part("+", "New: from our spec to upstream, and not recorded", e.added)
	part("-", "Gone: recorded, and no longer so", e.gone)
	fmt.Fprintf(&b, `
What next:
  Where we should follow, change %s, run 'make generate', and run this again.
  Where the difference is deliberate, run 'make spec-drift-accept UPSTREAM=%s'
  and say in %s why.
`, e.spec, e.upstream, e.list)
	return b.String()
}
