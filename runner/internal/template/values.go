package template

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// textsName is the variable that holds the columns' texts as they are. No column
// can be meant by it, since it is checked first.
const textsName = "sluice_text"

// bindings are the variables of a row.
func bindings(columns []connector.Column, row runner.Row) map[string]any {
	texts := make(map[string]string, len(columns))
	variables := make(map[string]any, len(columns)+1)
	for i, c := range columns {
		if row.Null[i] {
			texts[c.Name] = ""
			variables[c.Name] = nil
			continue
		}
		texts[c.Name] = row.Texts[i]
		variables[c.Name] = value(c.Type.Kind, row.Texts[i])
	}
	variables[textsName] = texts
	return variables
}

// value is what a text means in a condition or a filter; a text that does not
// mean what it should stays a text.
func value(kind connector.Kind, text string) any {
	switch kind {
	case connector.KindInt64:
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	case connector.KindDecimal, connector.KindFloat64:
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			return x
		}
	case connector.KindBool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case connector.KindJSON:
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&v) == nil {
			return numbers(v)
		}
	}
	return text
}

// numbers makes Go's numbers of those of a JSON value, whole ones whole.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		x, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return x
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}
