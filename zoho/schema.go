package zoho

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Decimals are declared wide enough for everything Zoho stores: currency has up
// to 16 digits and 9 decimals
// (https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html).
const (
	decimalPrecision = 38
	decimalScale     = 9
)

const idField = "id"

var zohoKinds = map[string]connector.Kind{
	"boolean": connector.KindBool, "integer": connector.KindInt64, "bigint": connector.KindInt64, "long": connector.KindInt64,
	"double": connector.KindDecimal, "decimal": connector.KindDecimal, "currency": connector.KindDecimal, "percent": connector.KindDecimal, "number": connector.KindDecimal,
	"date": connector.KindDate, "datetime": connector.KindTimestampTZ, "multiselectpicklist": connector.KindJSON,
}

// typeOf is the logical type of a field's values: text unless Zoho's type says
// more. Ids, lookups and owners are text, since 19 digits are no number anyone
// calculates with.
func typeOf(f crm.Field) connector.Type {
	name := f.DataType
	if name == "formula" || name == "rollup_summary" {
		name = strings.ToLower(f.ReturnType)
	}
	kind, ok := zohoKinds[name]
	if !ok {
		return connector.Type{Kind: connector.KindString}
	}
	t := connector.Type{Kind: kind}
	if kind == connector.KindDecimal {
		t.Precision, t.Scale = decimalPrecision, decimalScale
	}
	return t
}

// notReadable are the types bulk read leaves out: files, and what lives in
// modules of its own
// (https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/limitations.html).
var notReadable = []string{
	"fileupload", "imageupload", "profileimage", "multiselectlookup", "multiuserlookup", "subform", "consent_lookup", "address",
}

// readable reports whether a field can be a column of a stream.
func readable(f crm.Field) bool {
	return f.APIName != "" && f.APIName != idField && !f.Virtual && f.External == "" && f.Viewable && !slices.Contains(notReadable, f.DataType)
}

// column describes a field as a column.
func column(f crm.Field) connector.Column { return connector.Column{Name: f.APIName, Type: typeOf(f)} }

// idColumn is the record id, which every stream has.
var idColumn = connector.Column{Name: idField, Type: connector.Type{Kind: connector.KindString}}

// property is one member of a JSON Schema object.
type property struct {
	name   string
	schema schemaNode
}

// schemaNode is a JSON Schema (2020-12) of one value. The x-zoho keys tell
// programs what JSON Schema has no word for.
type schemaNode struct {
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Type        any              `json:"type"`
	Format      string           `json:"format,omitempty"`
	Encoding    string           `json:"contentEncoding,omitempty"`
	MaxLength   int              `json:"maxLength,omitempty"`
	AnyOf       []map[string]any `json:"anyOf,omitempty"`
	Items       map[string]any   `json:"items,omitempty"`
	UniqueItems bool             `json:"uniqueItems,omitempty"`
	ReadOnly    bool             `json:"readOnly,omitempty"`
	Precision   int              `json:"x-precision,omitempty"`
	Scale       int              `json:"x-scale,omitempty"`
	ZohoType    string           `json:"x-zoho-type,omitempty"`
	Lookup      string           `json:"x-zoho-lookup,omitempty"`
	Unique      bool             `json:"x-unique,omitempty"`
}

// streamSchema writes the schema of a module's records.
func streamSchema(m crm.Module, fields []crm.Field) string {
	props := []property{{idField, schemaNode{Title: "Record id", Type: "string", ReadOnly: true, ZohoType: "bigint", Unique: true}}}
	for _, f := range fields {
		if readable(f) {
			props = append(props, property{f.APIName, fieldSchema(f)})
		}
	}
	var b strings.Builder
	b.WriteString(`{"$schema":"https://json-schema.org/draft/2020-12/schema","title":` + quote(m.Plural) + `,"type":"object","properties":{`)
	for i, p := range props {
		if i > 0 {
			b.WriteByte(',')
		}
		node, _ := json.Marshal(p.schema) // a struct of strings, numbers and maps of them cannot fail
		b.WriteString(quote(p.name) + ":" + string(node))
	}
	b.WriteString(`},"required":["id"],"additionalProperties":false}`)
	return b.String()
}

func quote(s string) string {
	q, _ := json.Marshal(s)
	return string(q)
}

func fieldSchema(f crm.Field) schemaNode {
	n := schemaNode{
		Title: f.Label, Type: []string{"string", "null"}, ZohoType: f.DataType, Lookup: f.LookupModule, Unique: f.Unique,
		ReadOnly: !f.Creatable && !f.Updatable,
	}
	if computed(f) {
		n.ReadOnly, n.Description = true, computedCaveat
	}
	t := typeOf(f)
	switch t.Kind {
	case connector.KindBool:
		n.Type = []string{"boolean", "null"}
	case connector.KindInt64:
		n.Type, n.Format = []string{"integer", "null"}, "int64"
	case connector.KindDecimal:
		n.Type, n.Precision, n.Scale = []string{"number", "null"}, t.Precision, t.Scale
	case connector.KindDate:
		n.Format = "date"
	case connector.KindTimestampTZ:
		n.Format = "date-time"
	case connector.KindJSON:
		n.Type, n.UniqueItems = []string{"array", "null"}, true
		n.Items = map[string]any{"type": "string"}
		if values := picks(f); len(values) > 0 {
			n.Items["anyOf"] = openEnum(values)
		}
	default:
		stringSchema(&n, f)
	}
	return n
}

// computedCaveat is what whoever reads incrementally must know.
const computedCaveat = "Computed by Zoho. A change of the result alone does not move Modified_Time, so an incremental read does not see it; a full refresh does."

// computed reports whether Zoho computes a field from others.
func computed(f crm.Field) bool { return f.DataType == "formula" || f.DataType == "rollup_summary" }

func stringSchema(n *schemaNode, f crm.Field) {
	switch f.DataType {
	case "email":
		n.Format = "email"
	case "text", "phone", "website", "textarea":
		n.MaxLength = f.Length
	case "picklist":
		if values := picks(f); len(values) > 0 {
			n.AnyOf = openEnum(values)
		}
	}
}

// openEnum lists the known values without forbidding others: lists grow
// between two reads, and records keep values that were taken off a list.
func openEnum(values []string) []map[string]any {
	return []map[string]any{{"enum": values}, {"type": []string{"string", "null"}}}
}

func picks(f crm.Field) []string {
	out := make([]string, 0, len(f.PickList))
	for _, p := range f.PickList {
		if p.Actual != "" && !slices.Contains(out, p.Actual) {
			out = append(out, p.Actual)
		}
	}
	return out
}
