package wrapper

import (
	"strings"

	"github.com/m2mauth/clerk-m2m/generated"
)

// router finds the operation that a request asks for: the last word on what may be sent where, also for requests
// that did not come through the wrapper's methods.
type router struct {
	base  string // the path of the base URL, without a slash at its end
	table []generated.Operation
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
		switch err, ok := matches(op, path); {
		case !ok:
		case err != nil:
			bad = err
		default:
			return op, nil
		}
	}
	return nil, bad
}

func matches(op *generated.Operation, path string) (err error, ok bool) {
	template := op.Path
	for template != "" && path != "" {
		var want, got string
		want, template, _ = strings.Cut(template[1:], "/")
		if path[0] != '/' {
			return nil, false
		}
		got, path, _ = strings.Cut(path[1:], "/")
		if template != "" {
			template = "/" + template
		}
		if path != "" {
			path = "/" + path
		}
		if strings.HasPrefix(want, "{") {
			if e := checkID(op, strings.Trim(want, "{}"), got); e != nil {
				err = e
			}
		} else if want != got {
			return nil, false
		}
	}
	return err, template == "" && path == ""
}
