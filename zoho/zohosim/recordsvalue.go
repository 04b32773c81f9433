package zohosim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// The JSON values of the records API: scalars by data type, lookups and users as {"id":...}, multi-select values as an
// array, subforms and multi-select lookups as rows of their own modules.

// fill reads a row's values into the change. Unknown keys and $-keys are ignored, as Zoho does.
func (w *recordWriter) fill(row map[string]json.RawMessage) *apiError {
	for _, f := range w.table.fields {
		raw, given := row[f.APIName]
		if !given || !f.writable() {
			continue
		}
		if f.DataType == "subform" || f.DataType == "multiselectlookup" {
			var rows []map[string]json.RawMessage
			if json.Unmarshal(raw, &rows) != nil {
				return w.invalid(f, invalid("jsonarray"))
			}
			w.children = append(w.children, childRows{f, rows})
			continue
		}
		if err := w.value(f, raw); err != nil {
			return w.invalid(f, err)
		}
	}
	return nil
}

func (w *recordWriter) invalid(f *Field, e *valueError) *apiError {
	return bad(e.code, "invalid data").with(fieldDetails{APIName: f.APIName, Path: w.path + "." + f.APIName, Expected: e.expected, Maximum: e.maximum})
}

func (w *recordWriter) value(f *Field, raw json.RawMessage) *valueError {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" || string(raw) == `""` {
		if f.sys != sysOwner {
			w.change.set(f, cell{})
		}
		return nil
	}
	switch jsonTypes[f.DataType] {
	case "jsonobject":
		return w.reference(f, raw)
	case "jsonarray":
		var list []string
		if json.Unmarshal(raw, &list) != nil {
			return invalid("jsonarray")
		}
		text, err := w.parse.picks(f, list)
		w.change.set(f, cell{text, len(list) > 0})
		return err
	}
	text, err := jsonScalar(f, raw)
	if err == nil {
		text, err = w.parse.scalar(f, text, nil)
	}
	w.change.set(f, cell{text, true})
	return err
}

// jsonScalar insists on the JSON type Zoho names for the field; numbers may come as strings.
func jsonScalar(f *Field, raw json.RawMessage) (string, *valueError) {
	var s string
	isText := json.Unmarshal(raw, &s) == nil
	switch f.DataType {
	case "boolean", "integer", "double", "currency", "percent", "bigint":
		if isText {
			return s, nil
		}
		return string(raw), nil
	}
	if !isText {
		return "", invalid("string")
	}
	if f.DataType == "date" && len(s) != len(time.DateOnly) {
		return "", invalid("date")
	}
	return s, nil
}

// reference reads {"id":...}, or a bare id.
func (w *recordWriter) reference(f *Field, raw json.RawMessage) *valueError {
	var o struct {
		ID idText `json:"id"`
	}
	if raw[0] != '{' {
		if json.Unmarshal(raw, &o.ID) != nil {
			return invalid("jsonobject")
		}
	} else if json.Unmarshal(raw, &o) != nil || o.ID == "" {
		return invalid("jsonobject")
	}
	id, _ := parseID(string(o.ID))
	if f.isUser() {
		i, found := w.call.sim.org.userByID(id)
		if !found {
			return invalid("jsonobject")
		}
		if f.sys == sysOwner {
			w.change.owner = i
			return nil
		}
	} else if t := w.call.sim.store.tables[f.Lookup]; t == nil || t.find(id) == nil {
		return invalid("jsonobject")
	}
	w.change.set(f, cell{itoa(id), true})
	return nil
}

// eachChild visits the rows of subforms and multi-select lookups with a writer for their module and the field that
// points back to the parent.
func (w *recordWriter) eachChild(do func(in *recordWriter, row map[string]json.RawMessage, back *Field) *apiError) *apiError {
	for _, kids := range w.children {
		child := w.call.sim.store.tables[kids.field.Linking]
		back := "Parent_Id"
		if kids.field.DataType == "multiselectlookup" {
			back = w.table.APIName
		}
		if child == nil || child.byName[back] == nil {
			continue
		}
		for i, row := range kids.rows {
			in := &recordWriter{call: w.call, table: child, parse: w.parse, path: fmt.Sprintf("%s.%s[%d]", w.path, kids.field.APIName, i)}
			if err := do(in, row, child.byName[back]); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkChildren refuses a record for the values of its rows before anything is written.
func (w *recordWriter) checkChildren() *apiError {
	return w.eachChild(func(in *recordWriter, row map[string]json.RawMessage, _ *Field) *apiError { return in.fill(row) })
}

// writeChildren adds, changes or removes the rows, which checkChildren has seen.
func (w *recordWriter) writeChildren(parent *record) {
	_ = w.eachChild(func(in *recordWriter, row map[string]json.RawMessage, back *Field) *apiError { // nothing fails any more
		_ = in.fill(row) // as checked
		in.writeChild(row, back, parent.id)
		return nil
	})
}

func (w *recordWriter) writeChild(row map[string]json.RawMessage, back *Field, parent int64) {
	w.change.set(back, cell{itoa(parent), true})
	var text idText
	_ = json.Unmarshal(row["id"], &text) // absent: a new row
	id, _ := parseID(string(text))
	old := w.table.find(id)
	if _, gone := row["_delete"]; !gone {
		w.table.apply(w.call.sim.store, old, &w.change, w.call.now, 0)
	} else if old != nil {
		w.table.remove(old, w.call.now)
	}
}
