package zoho

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceio/sluice/zoho/crm"
)

// gathering collects records whose fields come in several answers.
type gathering struct {
	fields  []crm.Field
	readers []reader
	at      map[string]int // of a field, by name
	ids     []string       // in order
	rows    map[string]*gathered
}

// gathered is one record: its values in the order of the fields, and the number
// of answers it was in.
type gathered struct {
	texts []string
	parts int
}

func newGathering(fields []crm.Field, zone *time.Location, records []crm.Record) *gathering {
	g := &gathering{fields: fields, at: make(map[string]int, len(fields)), rows: make(map[string]*gathered, len(records))}
	for i, f := range fields {
		g.at[f.APIName] = i
		g.readers = append(g.readers, readerOf(f, zone))
	}
	for _, r := range records {
		g.ids = append(g.ids, r.ID)
		g.rows[r.ID] = &gathered{texts: make([]string, len(fields))}
	}
	return g
}

// add takes the values of one answer. Records that are not gathered are
// ignored.
func (g *gathering) add(records []crm.Record) {
	for _, r := range records {
		row := g.rows[r.ID]
		if row == nil {
			continue
		}
		row.parts++
		_ = r.Each(func(name string, v jsontext.Value) error { // the record was walked when it was decoded
			if i, ok := g.at[name]; ok {
				row.texts[i] = textOfJSON(g.fields[i], g.readers[i], v)
			}
			return nil
		})
	}
}

// textOfJSON turns a value of the records API into the text that the same value
// has by way of a bulk read's cell: read is the cell's reader. Null, an empty
// text and an empty list are all null there.
func textOfJSON(f crm.Field, read reader, v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		if text, _ := jsontext.AppendUnquote(nil, v); len(text) > 0 { // invalid UTF-8 is replaced
			return read(string(text))
		}
	case '0', 't', 'f':
		return read(string(v))
	case '{':
		if id := memberOf(v, "id"); id != "" {
			return read(id)
		}
		return read(string(v))
	case '[':
		return textOfList(f, v)
	}
	return ""
}

// textOfList writes a list of choices as JSON, and a list of names, such as
// tags, joined with commas as bulk reads have it.
func textOfList(f crm.Field, v jsontext.Value) string {
	var items []jsontext.Value
	if json.Unmarshal(v, &items) != nil || len(items) == 0 {
		return ""
	}
	texts := make([]string, len(items))
	for i, item := range items {
		if item.Kind() == '{' {
			texts[i] = memberOf(item, "name")
		} else if text, err := jsontext.AppendUnquote(nil, item); err == nil {
			texts[i] = string(text)
		}
	}
	if f.DataType == "multiselectpicklist" {
		return jsonStrings(texts)
	}
	return strings.Join(texts, ",")
}

func memberOf(object jsontext.Value, name string) (text string) {
	_ = crm.Record{JSON: object}.Each(func(n string, v jsontext.Value) error {
		switch {
		case n != name:
		case v.Kind() == '"':
			b, _ := jsontext.AppendUnquote(nil, v)
			text = string(b)
		case v.Kind() == '0':
			text = string(v)
		}
		return nil
	})
	return text
}
