package zohosim

import (
	"encoding/json"
	"strconv"
	"time"
)

// renderer turns records into Zoho's JSON; the store is locked for reading.
type renderer struct {
	sim   *Sim
	table *table
	paths []fieldPath
	flat  bool // COQL: lookups as {"id"}, dotted keys flat
	buf   []byte
}

// allPaths are every field of the module.
func allPaths(t *table) []fieldPath {
	list := make([]fieldPath, 0, len(t.fields))
	for _, f := range t.fields {
		if f.sys != sysID && (f.stored() || f.sys != sysNone) {
			list = append(list, fieldPath{name: f.APIName, field: f})
		}
	}
	return list
}

// record renders one record as an object, always with its id.
func (d *renderer) record(r *record) json.RawMessage {
	b := append(d.buf[:0], '{')
	for i := range d.paths {
		p := &d.paths[i]
		b = append(appendJSON(b, p.name), ':')
		b = append(d.value(b, p, d.sim.value(d.table, r, p, true)), ',')
	}
	b = append(append(b, `"id":"`...), itoa(r.id)...)
	b = append(b, '"', '}')
	d.buf = b
	return json.RawMessage(append([]byte(nil), b...))
}

func (d *renderer) value(b []byte, p *fieldPath, v cell) []byte {
	if !v.set {
		return append(b, "null"...)
	}
	switch kind := p.kind(); kind {
	case "boolean", "integer", "double", "currency", "percent":
		return append(b, v.text...)
	case "datetime":
		if t, err := time.Parse(time.RFC3339, v.text); err == nil {
			return appendJSON(b, d.sim.org.stamp(t.Unix()))
		}
	case "multiselectpicklist", "fileupload":
		return appendList(b, splitMulti(v.text))
	case "lookup":
		return d.lookup(b, p.last().Lookup, v.text)
	case "ownerlookup", "userlookup":
		return d.user(b, v.text)
	}
	return appendJSON(b, v.text)
}

func appendList(b []byte, values []string) []byte {
	b = append(b, '[')
	for i, s := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, s)
	}
	return append(b, ']')
}

func (d *renderer) lookup(b []byte, module, text string) []byte {
	if d.flat {
		return append(append(append(b, `{"id":"`...), text...), `"}`...)
	}
	name := ""
	id, _ := parseID(text)
	if t := d.sim.store.tables[module]; t != nil {
		if r := t.find(id); r != nil {
			name = t.displayOf(r)
		}
	}
	b = appendJSON(append(b, `{"name":`...), name)
	return append(append(append(b, `,"id":"`...), text...), `"}`...)
}

func (d *renderer) user(b []byte, text string) []byte {
	id, _ := parseID(text)
	i, found := d.sim.org.userByID(id)
	if d.flat || !found {
		return append(append(append(b, `{"id":"`...), text...), `"}`...)
	}
	u := &d.sim.org.users[i]
	b = appendJSON(append(b, `{"name":`...), u.name())
	b = append(append(append(b, `,"id":"`...), text...), `","email":`...)
	return append(appendJSON(b, u.email), '}')
}

// appendJSON appends a JSON string; plain text goes without the encoder.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			enc, err := json.Marshal(s)
			if err != nil {
				return strconv.AppendQuote(b, s)
			}
			return append(b, enc...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// details renders a single record with its subforms and multi-select lookups, as only the single GET does.
func (d *renderer) details(r *record, wanted func(string) bool) json.RawMessage {
	b := []byte(d.record(r))
	b = b[:len(b)-1]
	for _, f := range d.table.fields {
		if f.DataType != "subform" && f.DataType != "multiselectlookup" || !wanted(f.APIName) {
			continue
		}
		b = append(appendJSON(append(b, ','), f.APIName), ':')
		b = d.children(b, f, r)
	}
	return append(b, '}')
}

func (d *renderer) children(b []byte, f *Field, parent *record) []byte {
	child := d.sim.store.tables[f.Linking]
	b = append(b, '[')
	if child == nil {
		return append(b, ']')
	}
	back := child.byName["Parent_Id"]
	if f.DataType == "multiselectlookup" {
		back = child.byName[d.table.APIName]
	}
	want, n := itoa(parent.id), 0
	inner := &renderer{sim: d.sim, table: child, paths: allPaths(child)}
	for _, r := range child.recs {
		if back == nil || r.deleted || at(r.data, back.slot).text != want {
			continue
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = append(b, inner.record(r)...)
	}
	return append(b, ']')
}
