package zohosim

import "strings"

// Field describes one field of a module. APIName and DataType are required; the rest has usable zero values.
type Field struct {
	// APIName is the name in requests, CSV headers and answers.
	APIName string `json:"api_name"`
	// Label is shown to people; default: the API name with spaces.
	Label string `json:"field_label,omitempty"`
	// DataType is one of Zoho's: text, textarea, email, phone, website, picklist, multiselectpicklist, boolean,
	// integer, bigint, double, currency, percent, date, datetime, lookup, ownerlookup, userlookup, formula,
	// autonumber, rollup_summary, subform, multiselectlookup, fileupload, profileimage.
	DataType string `json:"data_type"`
	// Length is the most characters (or digits); default by data type.
	Length int `json:"length,omitempty"`
	// DecimalPlace is the number of decimals of double, currency and percent; default 2.
	DecimalPlace int `json:"decimal_place,omitempty"`
	// SystemMandatory fields are required by Zoho itself, LayoutMandatory ones by the default layout.
	SystemMandatory bool `json:"system_mandatory,omitempty"`
	LayoutMandatory bool `json:"layout_mandatory,omitempty"`
	// Unique fields refuse a second record with the same value and can be used as find_by.
	Unique bool `json:"unique,omitempty"`
	// CaseSensitive makes Unique compare letter by letter.
	CaseSensitive bool `json:"case_sensitive,omitempty"`
	// ReadOnly fields cannot be written by the API.
	ReadOnly bool `json:"read_only,omitempty"`
	// Custom marks fields added by the organisation.
	Custom bool `json:"custom_field,omitempty"`
	// Picklist holds the values of picklist and multiselectpicklist fields.
	Picklist []string `json:"pick_list_values,omitempty"`
	// FixedPicklist rejects values that are not in Picklist whatever the variant says.
	FixedPicklist bool `json:"fixed_picklist,omitempty"`
	// Lookup is the module a lookup points to.
	Lookup string `json:"lookup,omitempty"`
	// Linking is the module holding the rows of a subform or of a multi-select lookup.
	Linking string `json:"linking,omitempty"`
	// Expression is a formula over other fields of the record: Name, Name*Name, Name+Name or Name & Name.
	Expression string `json:"expression,omitempty"`
	// ReturnType is the type of a formula, default double.
	ReturnType string `json:"return_type,omitempty"`
	// Prefix begins the values of an autonumber.
	Prefix string `json:"prefix,omitempty"`
	// Encrypted marks a field stored encrypted: some criteria are refused on it.
	Encrypted bool `json:"encrypted,omitempty"`

	id      int64
	slot    int // index into packed cells, or -1
	sys     sysKind
	choices map[string]bool

	left, right *Field // operands of a formula
	operator    byte   // *, + or &; 0: left alone
}

// sysKind tells which record attribute a system field shows.
type sysKind uint8

const (
	sysNone sysKind = iota
	sysID
	sysCreated
	sysModified
	sysOwner
	sysCreatedBy
	sysModifiedBy
	sysFormula
)

var defaultLengths = map[string]int{
	"text": 255, "textarea": 2000, "email": 100, "phone": 30, "website": 450, "picklist": 120, "integer": 9, "bigint": 18,
	"double": 16, "currency": 16, "percent": 5, "date": 20, "datetime": 20, "lookup": 120, "ownerlookup": 120, "userlookup": 120,
	"boolean": 1, "multiselectpicklist": 2000, "formula": 16, "autonumber": 300, "rollup_summary": 16,
	"fileupload": 5, "profileimage": 255,
}

// jsonTypes is Zoho's pairing of data type and JSON type.
var jsonTypes = map[string]string{
	"text": "string", "textarea": "string", "email": "string", "phone": "string", "website": "string", "picklist": "string",
	"multiselectpicklist": "jsonarray", "boolean": "boolean", "integer": "integer", "bigint": "string", "double": "double",
	"currency": "double", "percent": "double", "date": "string", "datetime": "string", "lookup": "jsonobject",
	"ownerlookup": "jsonobject", "userlookup": "jsonobject", "formula": "double", "autonumber": "string", "rollup_summary": "integer",
	"subform": "jsonarray", "multiselectlookup": "jsonarray", "fileupload": "jsonarray", "profileimage": "string",
}

func (f *Field) normalise() {
	f.Label = defaulted(f.Label, strings.ReplaceAll(f.APIName, "_", " "))
	f.Length = defaulted(f.Length, defaultLengths[f.DataType])
	if f.DataType == "double" || f.DataType == "currency" || f.DataType == "percent" {
		f.DecimalPlace = defaulted(f.DecimalPlace, 2)
	}
	if f.DataType == "formula" {
		f.ReturnType = defaulted(f.ReturnType, "double")
		f.sys = sysFormula
		f.ReadOnly = true
	}
	if f.DataType == "autonumber" || f.DataType == "rollup_summary" {
		f.ReadOnly = true
	}
	f.choices = make(map[string]bool, len(f.Picklist))
	for _, v := range f.Picklist {
		f.choices[v] = true
	}
}

// stored tells whether the field's values live in the packed cells.
func (f *Field) stored() bool {
	return f.sys == sysNone && f.DataType != "subform" && f.DataType != "multiselectlookup"
}

// writable tells whether the API may write the field.
func (f *Field) writable() bool { return !f.ReadOnly && f.sys != sysID }

// bulkWritable tells whether bulk write accepts the field, after the limitations page: no file or image, no formula,
// no autonumber, no Created or Modified fields.
func (f *Field) bulkWritable() bool {
	switch f.DataType {
	case "fileupload", "imageupload", "profileimage", "formula", "autonumber", "rollup_summary", "subform", "multiselectlookup", "multiuserlookup":
		return false
	}
	return f.writable()
}

func (f *Field) isLookup() bool { return f.DataType == "lookup" }

func (f *Field) isUser() bool { return f.DataType == "ownerlookup" || f.DataType == "userlookup" }

func (f *Field) mandatory() bool { return f.SystemMandatory || f.LayoutMandatory }

// valueType is the type values are compared and rendered by: the return type of a formula, else the data type.
func (f *Field) valueType() string {
	switch f.DataType {
	case "formula":
		return f.ReturnType
	case "rollup_summary":
		return "double"
	}
	return f.DataType
}

// fold is the key of a value in the field's unique index.
func (f *Field) fold(v string) string {
	if f.CaseSensitive {
		return v
	}
	return strings.ToLower(v)
}
