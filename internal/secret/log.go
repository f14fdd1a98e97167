package secret

import (
	"log/slog"
	"reflect"
	"strconv"
	"strings"
)

// LogValue gives what slog may log of a model that holds a [String]: its members by their names in JSON, without those
// that are absent. It is for the LogValue methods of models, because a handler that encodes JSON would write the value.
func LogValue(model any) slog.Value { return logValue(reflect.ValueOf(model)) }

func logValue(v reflect.Value) slog.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return logValue(v.Elem())
		}
	case reflect.Struct:
		var attrs []slog.Attr
		for field, value := range v.Fields() {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if options == "" || !value.IsZero() {
				attrs = append(attrs, slog.Attr{Key: name, Value: logValue(value)})
			}
		}
		return slog.GroupValue(attrs...)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			var attrs []slog.Attr
			for i := range v.Len() {
				attrs = append(attrs, slog.Attr{Key: strconv.Itoa(i), Value: logValue(v.Index(i))})
			}
			return slog.GroupValue(attrs...)
		}
	}
	if s, ok := v.Interface().(String); ok {
		return s.LogValue()
	}
	return slog.AnyValue(v.Interface())
}
