package zohosim

import (
	"net/http"
	"time"
)

// GET /crm/{v}/settings/fields?module={api_name} and /settings/fields/{id}?module=. Documented in
// docs/v7/field-meta.html; every key of its sample is sent, whatever the version segment. 204 when the module has no
// fields. Gaps: type=unused is always empty (204), permissions, tooltips, colours, conversion mappings.

type fieldsAnswer struct {
	Fields []fieldWire `json:"fields"`
}

type refWire struct {
	APIName string `json:"api_name"`
	ID      string `json:"id"`
}

type operationWire struct {
	WebCreate bool `json:"web_create"`
	WebUpdate bool `json:"web_update"`
	APICreate bool `json:"api_create"`
	APIUpdate bool `json:"api_update"`
}

type viewWire struct {
	View        bool `json:"view"`
	Edit        bool `json:"edit"`
	Create      bool `json:"create"`
	QuickCreate bool `json:"quick_create"`
}

type uniqueWire struct {
	CaseSensitive bool `json:"case_sensitive"`
}

type choiceWire struct {
	Display   string  `json:"display_value"`
	Actual    string  `json:"actual_value"`
	Reference string  `json:"reference_value"`
	Sequence  int     `json:"sequence_number"`
	ID        string  `json:"id"`
	Type      string  `json:"type"`
	Colour    *string `json:"colour_code"`
}

type lookupWire struct {
	APIName      string  `json:"api_name"`
	DisplayLabel string  `json:"display_label"`
	ID           string  `json:"id"`
	Module       refWire `json:"module"`
	Query        none    `json:"query_details"`
	Revalidate   bool    `json:"revalidate_filter_during_edit"`
}

type multiLookupWire struct {
	Linking   linkingWire `json:"linking_details"`
	Connected linkingWire `json:"connected_details"`
}

type linkingWire struct {
	Module refWire  `json:"module"`
	Lookup *refWire `json:"lookup_field,omitempty"`
}

type formulaWire struct {
	ReturnType string `json:"return_type"`
	Expression string `json:"expression"`
}

type prefixWire struct {
	Prefix      string `json:"prefix"`
	StartNumber int    `json:"start_number"`
}

type textareaWire struct {
	Type string `json:"type"`
}

type layoutRef struct {
	APIName string `json:"api_name"`
	Name    string `json:"name"`
	ID      string `json:"id"`
}

type permissionWire struct {
	Permission string `json:"permission_type"`
	Name       string `json:"name"`
	ID         string `json:"id"`
}

type fieldWire struct {
	ID              string           `json:"id"`
	APIName         string           `json:"api_name"`
	FieldLabel      string           `json:"field_label"`
	DisplayLabel    string           `json:"display_label"`
	DataType        string           `json:"data_type"`
	JSONType        string           `json:"json_type"`
	Length          int              `json:"length,omitempty"` // fields of no length, such as subforms, have no such key
	DecimalPlace    *int             `json:"decimal_place"`
	SystemMandatory bool             `json:"system_mandatory"`
	CustomField     bool             `json:"custom_field"`
	ReadOnly        bool             `json:"read_only"`
	FieldReadOnly   bool             `json:"field_read_only"`
	Visible         bool             `json:"visible"`
	Virtual         bool             `json:"virtual_field"`
	Operation       operationWire    `json:"operation_type"`
	View            viewWire         `json:"view_type"`
	Unique          any              `json:"unique"`
	External        *string          `json:"external"`
	Lookup          any              `json:"lookup"`
	MultiLookup     any              `json:"multiselectlookup"`
	MultiModule     none             `json:"multi_module_lookup"`
	Subform         *refWire         `json:"subform"`
	Associated      *refWire         `json:"associated_module"`
	Choices         []choiceWire     `json:"pick_list_values"`
	SortedChoices   bool             `json:"pick_list_values_sorted_lexically"`
	GlobalPicklist  *string          `json:"global_picklist"`
	Colours         bool             `json:"enable_colour_code"`
	SystemColours   bool             `json:"colour_code_enabled_by_system"`
	Formula         any              `json:"formula"`
	Rollup          none             `json:"rollup_summary"`
	Currency        none             `json:"currency"`
	AutoNumber      any              `json:"auto_number"`
	Textarea        *textareaWire    `json:"textarea,omitempty"`
	Crypt           any              `json:"crypt"`
	Private         *string          `json:"private"`
	HIPAA           *string          `json:"hipaa_compliance"`
	HIPAAEnabled    bool             `json:"hipaa_compliance_enabled"`
	DisplayField    bool             `json:"display_field"`
	Sortable        bool             `json:"sortable"`
	Filterable      bool             `json:"filterable"`
	Searchable      bool             `json:"searchable"`
	Webhook         bool             `json:"webhook"`
	MassUpdate      bool             `json:"mass_update"`
	Separator       bool             `json:"separator"`
	BusinessCard    bool             `json:"businesscard_supported"`
	Type            string           `json:"type"`
	UIType          int              `json:"ui_type"`
	DisplayType     int              `json:"display_type"`
	CreatedSource   string           `json:"created_source"`
	QuickSequence   *string          `json:"quick_sequence_number"`
	Tooltip         *string          `json:"tooltip"`
	History         any              `json:"history_tracking"`
	ConvertMapping  any              `json:"convert_mapping"`
	EmailParser     emailParserWire  `json:"email_parser"`
	Layouts         []layoutRef      `json:"layout_associations"`
	Association     any              `json:"association_details"`
	Customizable    []string         `json:"customizable_properties"`
	Profiles        []permissionWire `json:"profiles"`
	CreatedTime     *string          `json:"created_time"`
	ModifiedTime    *string          `json:"modified_time"`
	Required        *bool            `json:"required,omitempty"` // layouts only
}

type emailParserWire struct {
	Fields  bool `json:"fields_update_supported"`
	Records bool `json:"record_operations_supported"`
}

var uiTypes = map[string]int{"text": 1, "picklist": 2, "textarea": 3, "lookup": 4, "ownerlookup": 8, "userlookup": 8, "website": 21, "date": 24, "email": 25,
	"integer": 32, "phone": 33, "currency": 36, "bigint": 38, "double": 39, "datetime": 333, "multiselectpicklist": 100, "boolean": 301, "percent": 35,
	"autonumber": 109, "formula": 110, "multiselectlookup": 108, "subform": 445}

func (c *call) fieldWires(t *table) []fieldWire {
	list := make([]fieldWire, 0, len(t.fields))
	for _, f := range t.fields {
		if f.sys == sysID && c.conf.Variants.OmitIDField {
			continue
		}
		list = append(list, c.fieldWire(t, f))
	}
	return list
}

func (c *call) fieldWire(t *table, f *Field) fieldWire {
	write, hidden := f.writable(), f.sys == sysID
	w := fieldWire{ID: itoa(f.id), APIName: f.APIName, FieldLabel: f.Label, DisplayLabel: f.Label, DataType: f.DataType, JSONType: jsonTypes[f.DataType],
		Length: f.Length, SystemMandatory: f.SystemMandatory, CustomField: f.Custom, ReadOnly: f.ReadOnly || hidden,
		// Zoho's samples show field_read_only true on Owner although the API may write it.
		FieldReadOnly: f.ReadOnly || hidden || f.sys == sysOwner, Visible: !hidden,
		Operation: operationWire{write, write, write, write}, View: viewWire{!hidden, write, write, f.mandatory()},
		Unique: none{}, Lookup: none{}, MultiLookup: none{}, Formula: none{}, AutoNumber: none{}, Choices: []choiceWire{}, Customizable: []string{},
		Sortable: f.stored(), Filterable: true, Searchable: f.stored(), Webhook: true, BusinessCard: true, Type: "used", UIType: defaulted(uiTypes[f.DataType], 1),
		DisplayType: -1, CreatedSource: "default", DisplayField: f.APIName == t.Display,
		Layouts:  []layoutRef{{"Standard__s", "Standard", itoa(t.layout)}},
		Profiles: []permissionWire{{"read_write", "Administrator", itoa(c.sim.org.profile)}}}
	if f.Unique {
		w.Unique = uniqueWire{f.CaseSensitive}
	}
	if f.DecimalPlace > 0 {
		w.DecimalPlace = &f.DecimalPlace
	}
	c.typeDetails(t, f, &w)
	return w
}

// typeDetails fills the parts only certain data types have.
func (c *call) typeDetails(t *table, f *Field, w *fieldWire) {
	s := c.sim.store
	module := func(name string) refWire { return refWire{name, s.moduleID(name)} }
	switch f.DataType {
	case "lookup":
		w.Lookup = lookupWire{APIName: t.APIName, DisplayLabel: t.Plural, ID: itoa(f.id + 1), Module: module(f.Lookup)}
	case "multiselectlookup":
		target := s.tables[f.Linking]
		link := linkingWire{Module: module(f.Linking)}
		if target != nil && target.byName[t.APIName] != nil {
			own := target.byName[t.APIName]
			link.Lookup = &refWire{own.APIName, itoa(own.id)}
		}
		w.MultiLookup = multiLookupWire{Linking: link, Connected: linkingWire{Module: module(f.Lookup)}}
	case "subform":
		m := module(f.Linking)
		w.Subform, w.Associated = &m, &m
	case "formula":
		w.Formula = formulaWire{f.ReturnType, f.Expression}
	case "autonumber":
		w.AutoNumber = prefixWire{f.Prefix, 1}
	case "textarea":
		w.Textarea = &textareaWire{"small"}
		if f.Length > 2000 {
			w.Textarea.Type = "large"
		}
	case "picklist", "multiselectpicklist":
		for i, v := range f.Picklist {
			w.Choices = append(w.Choices, choiceWire{Display: v, Actual: v, Reference: v, Sequence: i + 1, ID: itoa(f.id*100%1e18 + int64(i)), Type: "used"})
		}
	}
	if f.Encrypted {
		w.Crypt = struct {
			Mode   string `json:"mode"`
			Status int    `json:"status"`
		}{"encryption", 1}
	}
	if f.Custom {
		at := c.stamp(c.sim.org.created.Unix())
		w.CreatedTime, w.ModifiedTime = &at, &at
	}
}

func getFields(c *call) reply {
	name := c.query.Get("module")
	if name == "" {
		return bad("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing").with(paramName{"module"}).reply()
	}
	if c.unmodified() {
		return reply{status: http.StatusNotModified}
	}
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[name]
	if t == nil {
		return errModule().reply()
	}
	if c.query.Get("type") == "unused" {
		return noContent()
	}
	return ok(fieldsAnswer{c.fieldWires(t)})
}

type paramName struct {
	Name string `json:"param_name"`
}

func getField(c *call) reply {
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.tables[c.query.Get("module")]; t != nil {
		for _, f := range t.fields {
			if itoa(f.id) == c.params["id"] {
				return ok(fieldsAnswer{[]fieldWire{c.fieldWire(t, f)}})
			}
		}
	}
	return bad("INVALID_DATA", "the id given seems to be invalid").reply()
}

// metaChanged is when metadata last changed.
func (s *Sim) metaChanged() time.Time {
	if n := s.org.touched.Load(); n != 0 {
		return time.Unix(n, 0)
	}
	return s.org.created
}
