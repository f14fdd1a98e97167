package main

import (
	"encoding/json"
	"slices"
	"strings"
)

// prose are the members of a schema or a security scheme that say something to people only.
var prose = []string{"description", "title", "summary", "example", "examples", "externalDocs", "bearerFormat"}

// facts gives a schema or a security scheme as JSON, less its prose and extensions.
func facts(v json.Marshaler) (string, error) {
	data, err := v.MarshalJSON()
	if err != nil {
		return "", err
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		return "", err
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(withoutProse(members))
	return strings.TrimSpace(b.String()), err
}

func withoutProse(schema map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range schema {
		switch v := v.(type) {
		case map[string]any:
			switch {
			case slices.Contains(prose, key) || strings.HasPrefix(key, "x-"):
			case key == "properties": // whose members are names, "description" perhaps among them
				properties := map[string]any{}
				for name, p := range v {
					properties[name] = withoutProse(object(p))
				}
				out[key] = properties
			default:
				out[key] = withoutProse(v)
			}
		case []any:
			list := []any{} // never null: a default may be empty
			for _, element := range v {
				if m := object(element); m != nil {
					element = withoutProse(m)
				}
				list = append(list, element)
			}
			out[key] = list
		default:
			if !slices.Contains(prose, key) && !strings.HasPrefix(key, "x-") {
				out[key] = v
			}
		}
	}
	return out
}
