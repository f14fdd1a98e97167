// Package strictjson reads the members of JSON objects without the leniency of encoding/json, which takes the last of
// two members with one name and takes "Sub" for "sub": who is calling must depend on neither. It allocates nothing for
// plain texts, and it is fuzzed against encoding/json.
package strictjson

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Members calls f for each member of the JSON object doc, in order, with its decoded name and its
// value's text, and reports whether doc is such an object and only that. A member name that occurs twice
// makes it false, as RFC 7519 section 4 allows and who is calling depends on; so does invalid UTF-8.
// encoding/json would take the last of two members, and one named "Sub" for "sub".
func Members(doc string, f func(name, value string)) bool {
	var seen names
	unique := true
	ok := Walk(doc, func(name, value, _ string) {
		unique = unique && seen.add(name)
		f(name, value)
	})
	return ok && unique && utf8.ValidString(doc)
}

// Walk calls f for each member of the JSON object doc (RFC 8259) with its decoded name, its value's
// text and the text of both. It is false as soon as doc is found to be something else.
func Walk(doc string, f func(name, value, member string)) bool {
	i := skipSpace(doc, 0)
	if at(doc, i) != '{' {
		return false
	}
	i = skipSpace(doc, i+1)
	if at(doc, i) == '}' {
		return skipSpace(doc, i+1) == len(doc)
	}
	for {
		start := i
		end := scanString(doc, i)
		if end < 0 {
			return false
		}
		name, ok := String(doc[start:end])
		if i = skipSpace(doc, end); !ok || at(doc, i) != ':' {
			return false
		}
		i = skipSpace(doc, i+1)
		if end = scanValue(doc, i, 1); end < 0 {
			return false
		}
		f(name, doc[i:end], doc[start:end])
		switch i = skipSpace(doc, end); at(doc, i) {
		case ',':
			i = skipSpace(doc, i+1)
		case '}':
			return skipSpace(doc, i+1) == len(doc)
		default:
			return false
		}
	}
}

// Valid reports whether doc is one JSON value.
func Valid(doc string) bool {
	end := scanValue(doc, skipSpace(doc, 0), 0)
	return end >= 0 && skipSpace(doc, end) == len(doc) && utf8.ValidString(doc)
}

// MaxDepth is how deep values may be nested: far deeper than anyone's claims.
const MaxDepth = 100

// scanValue returns the end of the JSON value that begins at i, -1 when there is none.
func scanValue(doc string, i, depth int) int {
	if depth > MaxDepth {
		return -1
	}
	switch c := at(doc, i); c {
	case '"':
		return scanString(doc, i)
	case '{', '[':
		return scanNested(doc, i, depth, c+2) // the ASCII distance to } and ]
	case 't':
		return scanWord(doc, i, "true")
	case 'f':
		return scanWord(doc, i, "false")
	case 'n':
		return scanWord(doc, i, "null")
	default:
		return scanNumber(doc, i)
	}
}

func scanNested(doc string, i, depth int, closing byte) int {
	i = skipSpace(doc, i+1)
	if at(doc, i) == closing {
		return i + 1
	}
	for {
		if closing == '}' {
			if i = scanString(doc, i); i < 0 {
				return -1
			}
			if i = skipSpace(doc, i); at(doc, i) != ':' {
				return -1
			}
			i = skipSpace(doc, i+1)
		}
		if i = scanValue(doc, i, depth+1); i < 0 {
			return -1
		}
		switch i = skipSpace(doc, i); at(doc, i) {
		case ',':
			i = skipSpace(doc, i+1)
		case closing:
			return i + 1
		default:
			return -1
		}
	}
}

func scanString(doc string, i int) int {
	if at(doc, i) != '"' {
		return -1
	}
	for i++; i < len(doc); i++ {
		switch c := doc[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			i++
			if at(doc, i) == 'u' {
				for range 4 {
					i++
					if !isHex(at(doc, i)) {
						return -1
					}
				}
			} else if strings.IndexByte(`"\/bfnrt`, at(doc, i)) < 0 {
				return -1
			}
		}
	}
	return -1
}

func scanWord(doc string, i int, word string) int {
	if strings.HasPrefix(doc[i:], word) {
		return i + len(word)
	}
	return -1
}

func scanNumber(doc string, i int) int {
	if at(doc, i) == '-' {
		i++
	}
	end := scanDigits(doc, i)
	if end < 0 || doc[i] == '0' && end > i+1 {
		return -1
	}
	if at(doc, end) == '.' {
		if end = scanDigits(doc, end+1); end < 0 {
			return -1
		}
	}
	if c := at(doc, end); c == 'e' || c == 'E' {
		end++
		if c := at(doc, end); c == '+' || c == '-' {
			end++
		}
		end = scanDigits(doc, end)
	}
	return end
}

func scanDigits(doc string, i int) int {
	start := i
	for c := at(doc, i); c >= '0' && c <= '9'; c = at(doc, i) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipSpace(doc string, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\t' || doc[i] == '\n' || doc[i] == '\r') {
		i++
	}
	return i
}

// at is the byte at i, 0 (which JSON has nowhere) past the end.
func at(doc string, i int) byte {
	if i < len(doc) {
		return doc[i]
	}
	return 0
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
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

// String decodes the text of a JSON string; false means that value is none.
func String(value string) (string, bool) {
	if at(value, 0) != '"' {
		return "", false
	}
	if plain := value[1 : len(value)-1]; strings.IndexByte(plain, '\\') < 0 {
		return plain, true
	}
	var s string
	err := json.Unmarshal([]byte(value), &s)
	return s, err == nil
}

// Number decodes the text of a JSON number; false means that value is none, or not finite.
func Number(value string) (float64, bool) {
	if c := at(value, 0); c != '-' && (c < '0' || c > '9') {
		return 0, false
	}
	n, err := strconv.ParseFloat(value, 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// Strings decodes the text of a JSON array of strings, or of a lone string as an array of one.
func Strings(value string) (list []string, ok bool) {
	if s, ok := String(value); ok {
		return []string{s}, true
	}
	if at(value, 0) != '[' {
		return nil, false
	}
	list = []string{}
	for i := skipSpace(value, 1); value[i] != ']'; {
		end := scanString(value, i)
		if end < 0 {
			return nil, false
		}
		s, ok := String(value[i:end])
		if !ok {
			return nil, false
		}
		list = append(list, s)
		if i = skipSpace(value, end); value[i] == ',' {
			i = skipSpace(value, i+1)
		}
	}
	return list, true
}

// IsObject reports whether the text begins as a JSON object does.
func IsObject(text string) bool { return at(text, skipSpace(text, 0)) == '{' }

// IsNull reports whether the text is a JSON null.
func IsNull(value string) bool { return value == "null" }
