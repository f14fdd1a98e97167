package authn

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// members calls f for each member of the JSON object in text, in order, with its decoded name and its
// value's text, and reports whether text is such an object and only that. A member name that occurs twice
// makes it false, as RFC 7519 section 4 allows and who is calling depends on; so does invalid UTF-8.
// encoding/json alone would take the last of two members, and one named "Sub" for "sub". doc is text.
func members(text []byte, f func(name, value string)) (doc string, ok bool) {
	if !json.Valid(text) || !utf8.Valid(text) {
		return "", false
	}
	doc = string(text) // of which all names and values are parts
	var seen names
	unique := true
	ok = walk(doc, func(name, value, _ string) {
		unique = unique && seen.add(name)
		f(name, value)
	})
	return doc, ok && unique
}

// walk calls f for each member of the object in doc, which is valid JSON, with its decoded name, its
// value's text and the text of both.
func walk(doc string, f func(name, value, member string)) bool {
	if !isObject(doc) {
		return false
	}
	i := skipSpace(doc, 0) + 1
	for i = skipSpace(doc, i); doc[i] != '}'; i = skipSpace(doc, i) {
		start, end := i, skipValue(doc, i)
		name, ok := stringOf(doc[start:end])
		if !ok {
			return false
		}
		i = skipSpace(doc, skipSpace(doc, end)+1) // over the colon
		end = skipValue(doc, i)
		f(name, doc[i:end], doc[start:end])
		if i = skipSpace(doc, end); doc[i] == ',' {
			i++
		}
	}
	return true
}

func isObject(doc string) bool {
	i := skipSpace(doc, 0)
	return i < len(doc) && doc[i] == '{'
}

// names is a set of strings: a few cost no allocation, many no more than linear time.
type names struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

func (s *names) add(name string) bool {
	for _, have := range s.few[:s.n] {
		if have == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if _, have := s.many[name]; have {
		return false
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	s.many[name] = struct{}{}
	return true
}

func skipSpace(doc string, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\t' || doc[i] == '\n' || doc[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i of valid JSON.
func skipValue(doc string, i int) int {
	for depth := 0; ; {
		switch doc[i] {
		case '"':
			for i++; doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default: // a number, true, false or null
			for i < len(doc) && !delimiter(doc[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

func delimiter(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r'
}

// stringOf decodes a JSON string; false means that value is none.
func stringOf(value string) (string, bool) {
	if value == "" || value[0] != '"' {
		return "", false
	}
	plain := value[1 : len(value)-1]
	if strings.IndexByte(plain, '\\') < 0 {
		return plain, true
	}
	var s string
	err := json.Unmarshal([]byte(value), &s)
	return s, err == nil
}

// numberOf decodes a JSON number; false means that value is none, or one that is not finite.
func numberOf(value string) (float64, bool) {
	if value == "" {
		return 0, false
	}
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return 0, false
	}
	n, err := strconv.ParseFloat(value, 64)
	return n, err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
}

// stringsOf decodes an array of strings, or a lone string as an array of one.
func stringsOf(value string) ([]string, bool) {
	if s, ok := stringOf(value); ok {
		return []string{s}, true
	}
	if value[0] != '[' {
		return nil, false
	}
	list := []string{}
	for i := skipSpace(value, 1); value[i] != ']'; i = skipSpace(value, i) {
		end := skipValue(value, i)
		s, ok := stringOf(value[i:end])
		if !ok {
			return nil, false
		}
		list = append(list, s)
		if i = skipSpace(value, end); value[i] == ',' {
			i++
		}
	}
	return list, true
}

func isNull(value string) bool { return value[0] == 'n' }
