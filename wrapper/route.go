package wrapper

import (
	"slices"
	"strings"

	"github.com/m2mauth/clerk-m2m/generated"
)

// router finds the operation that a request asks for: the last word on what may be sent where, also for requests
// that did not come through the wrapper's methods.
type router struct {
	base  string // the path of the base URL, without a slash at its end
	table []generated.Operation
	words []string // of all paths of the table; none of them is an id
}

// newRouter makes a router for an API below a base path.
func newRouter(base string, table []generated.Operation) router {
	r := router{base: base, table: table}
	for _, op := range table {
		for word := range strings.SplitSeq(op.Path[1:], "/") {
			if !strings.HasPrefix(word, "{") {
				r.words = append(r.words, word)
			}
		}
	}
	slices.Sort(r.words)
	r.words = slices.Compact(r.words)
	return r
}

// find gives the operation of a method and an escaped path, or nil. Every path parameter must be an id.
func (r router) find(method, path string) (*generated.Operation, error) {
	path, ok := strings.CutPrefix(path, r.base)
	if !ok {
		return nil, nil
	}
	var bad error
	for i := range r.table {
		op := &r.table[i]
		if op.Method != method {
			continue
		}
		switch ok, err := r.matches(op, path); {
		case !ok:
		case err != nil:
			bad = err
		default:
			return op, nil
		}
	}
	return nil, bad
}

// matches tells whether a path is one of the operation's, segment for segment, and whether the ids in it can be ids. A
// slash at the end is a segment: resolving ".." in place of an id leaves one, and then asks for something else. So does
// resolving ".", after which a word of the path stands where the id should.
func (r router) matches(op *generated.Operation, path string) (ok bool, err error) {
	for template := op.Path; ; {
		var want, got string
		var more, moreGot bool
		want, template, more = strings.Cut(template, "/")
		got, path, moreGot = strings.Cut(path, "/")
		switch {
		case more != moreGot:
			return false, nil
		case strings.HasPrefix(want, "{"):
			param := strings.Trim(want, "{}")
			if bad := checkID(op, param, got); bad != nil {
				err = bad
			} else if slices.Contains(r.words, got) {
				err = &IDError{Operation: op.ID, Param: param, Reason: "is a word of the API's paths"}
			}
		case want != got:
			return false, nil
		}
		if !more {
			return true, err
		}
	}
}
