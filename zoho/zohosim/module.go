package zohosim

// Module describes one module. APIName is required; New modules get the system fields Owner, Created_By, Created_Time,
// Modified_By and Modified_Time by themselves.
type Module struct {
	// APIName is the name in URLs and bodies.
	APIName string `json:"api_name"`
	// ModuleName is Zoho's internal name, CustomModule3 for a custom module; default the API name.
	ModuleName string `json:"module_name,omitempty"`
	// Singular and Plural are labels; default the API name.
	Singular string `json:"singular_label,omitempty"`
	Plural   string `json:"plural_label,omitempty"`
	// Generated is default, custom (the default), subform or linking.
	Generated string `json:"generated_type,omitempty"`
	// Display is the API name of the field that names a record; default Name.
	Display string `json:"display_field,omitempty"`
	// NoAPI, NotCreatable, NotEditable and NotDeletable take a right away each.
	NoAPI        bool `json:"no_api,omitempty"`
	NotCreatable bool `json:"not_creatable,omitempty"`
	NotEditable  bool `json:"not_editable,omitempty"`
	NotDeletable bool `json:"not_deletable,omitempty"`
	// NoBulkWrite and NoBulkRead say the module is refused there.
	NoBulkWrite bool `json:"no_bulk_write,omitempty"`
	NoBulkRead  bool `json:"no_bulk_read,omitempty"`
	// Fields are the module's own fields, in order.
	Fields []Field `json:"fields,omitempty"`
}

func (m *Module) normalise(number int) {
	m.Generated = defaulted(m.Generated, "custom")
	if m.ModuleName == "" {
		m.ModuleName = m.APIName
		if m.Generated == "custom" {
			m.ModuleName = "CustomModule" + itoa(int64(number))
		}
	}
	m.Singular = defaulted(m.Singular, m.APIName)
	m.Plural = defaulted(m.Plural, m.APIName)
	if m.Generated != "linking" && m.Generated != "subform" {
		m.Display = defaulted(m.Display, "Name")
	}
}

// systemFields are what Zoho gives every module. Bulk write refuses all of them but Owner.
func systemFields() []Field {
	return []Field{
		{APIName: "id", Label: "Record Id", DataType: "bigint", sys: sysID},
		{APIName: "Owner", Label: "Owner", DataType: "ownerlookup", sys: sysOwner},
		{APIName: "Created_By", Label: "Created By", DataType: "ownerlookup", ReadOnly: true, sys: sysCreatedBy},
		{APIName: "Modified_By", Label: "Modified By", DataType: "ownerlookup", ReadOnly: true, sys: sysModifiedBy},
		{APIName: "Created_Time", Label: "Created Time", DataType: "datetime", ReadOnly: true, sys: sysCreated},
		{APIName: "Modified_Time", Label: "Modified Time", DataType: "datetime", ReadOnly: true, sys: sysModified},
	}
}
