package crm

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Field is one field of a module. All layouts are merged; see [Client.Layouts] for what one layout demands.
type Field struct {
	APIName         string // the name in every request, CSV header and answer
	Label           string
	ID              string
	DataType        string // text, picklist, lookup, datetime...
	JSONType        string // string, integer, double, boolean, jsonobject, jsonarray
	Length          int    // longest value; 0 when not told
	DecimalPlaces   int    // 0 when not told
	SystemMandatory bool   // required on create in every layout
	Custom          bool
	ReadOnly        bool
	FieldReadOnly   bool // by profile; true on Owner although the API writes it, so ask Creatable and Updatable
	Visible         bool
	Virtual         bool // not stored; skip it in bulk calls
	Creatable       bool // the API writes it on insert
	Updatable       bool // the API writes it on update
	Viewable        bool // view_type.view
	Filterable      bool
	Sortable        bool
	Unique          bool   // usable as find_by
	UniqueCase      bool   // unique, and letter case matters
	External        string // user, org or external_lookup when the field holds external ids; bulk read cannot read those
	Encrypted       bool   // some comparators are refused
	LookupModule    string // API name of the module a lookup points to
	LinkingModule   string // API name of the module that holds the links of a multi-select or multi-user lookup
	Subform         string // API name of the module that holds the rows of a subform
	ReturnType      string // of a formula or rollup
	RichText        bool   // a text area with formatting; record lists cut its values off after 500 characters
	PickList        []PickListValue
}

// PickListValue is one choice of a picklist. The API reads and writes Actual.
type PickListValue struct {
	Display string
	Actual  string
	ID      string
	Unused  bool
}

// Fields lists the fields of a module that are in use. A module without fields gives none.
//
// https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html
func (c *Client) Fields(ctx context.Context, module string) ([]Field, error) {
	return c.fields(ctx, url.Values{"module": {module}})
}

// AllFields is Fields with the unused ones.
func (c *Client) AllFields(ctx context.Context, module string) ([]Field, error) {
	return c.fields(ctx, url.Values{"module": {module}, "type": {"all"}})
}

func (c *Client) fields(ctx context.Context, query url.Values) ([]Field, error) {
	r := request{call: newCall(OpFields, query.Get("module"), 0, true), method: http.MethodGet, url: c.apiURL("settings", "fields"), query: query}
	var answer json.RawMessage
	ok, err := c.getJSON(ctx, r, &answer)
	if err != nil || !ok {
		return nil, err
	}
	fields, err := decodeFields(answer)
	if err != nil {
		return nil, badAnswer(r, http.StatusOK, err)
	}
	return fields, nil
}

// decodeFields reads the answer of the fields call. Unknown keys are ignored, and a key with an unexpected type counts as
// absent.
func decodeFields(body []byte) ([]Field, error) {
	var answer struct {
		Fields flexList[wireField] `json:"fields"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	out := make([]Field, 0, len(answer.Fields))
	for _, w := range answer.Fields {
		if w.APIName != "" {
			out = append(out, w.field())
		}
	}
	return out, nil
}

type moduleRef struct {
	APIName flexString `json:"api_name"`
}

// UnmarshalJSON accepts {"api_name":"Accounts"} and, as older versions have it, "Accounts".
func (m *moduleRef) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return m.APIName.UnmarshalJSON(b)
	}
	var o flexObject[struct {
		APIName flexString `json:"api_name"`
		Module  flexString `json:"module"`
	}]
	if err := o.UnmarshalJSON(b); err != nil {
		return err
	}
	m.APIName = o.Value.APIName
	if m.APIName == "" {
		m.APIName = o.Value.Module
	}
	return nil
}

type wireField struct {
	APIName       flexString `json:"api_name"`
	FieldLabel    flexString `json:"field_label"`
	DisplayLabel  flexString `json:"display_label"`
	ID            flexString `json:"id"`
	DataType      flexString `json:"data_type"`
	JSONType      flexString `json:"json_type"`
	Length        flexInt    `json:"length"`
	DecimalPlace  flexInt    `json:"decimal_place"`
	Mandatory     flexBool   `json:"system_mandatory"`
	Custom        flexBool   `json:"custom_field"`
	ReadOnly      flexBool   `json:"read_only"`
	FieldReadOnly flexBool   `json:"field_read_only"`
	Visible       flexBool   `json:"visible"`
	Virtual       flexBool   `json:"virtual_field"`
	Filterable    flexBool   `json:"filterable"`
	Sortable      flexBool   `json:"sortable"`
	Operation     flexObject[struct {
		Create flexBool `json:"api_create"`
		Update flexBool `json:"api_update"`
	}] `json:"operation_type"`
	View flexObject[struct {
		View flexBool `json:"view"`
	}] `json:"view_type"`
	Unique flexObject[struct {
		Case    flexBool `json:"case_sensitive"`
		CaseOld flexBool `json:"casesensitive"`
	}] `json:"unique"`
	External flexObject[struct {
		Type flexString `json:"type"`
	}] `json:"external"`
	Crypt  flexObject[json.RawMessage] `json:"crypt"`
	Lookup flexObject[struct {
		Module moduleRef `json:"module"`
	}] `json:"lookup"`
	MultiLookup flexObject[wireLinking]   `json:"multiselectlookup"`
	MultiUser   flexObject[wireLinking]   `json:"multiuserlookup"`
	Associated  moduleRef                 `json:"associated_module"`
	Subform     moduleRef                 `json:"subform"`
	Formula     flexObject[wireReturn]    `json:"formula"`
	TextArea    flexObject[wireTextArea]  `json:"textarea"`
	Rollup      flexObject[wireReturn]    `json:"rollup_summary"`
	PickList    flexList[wirePickListRow] `json:"pick_list_values"`
}

type wireReturn struct {
	Type flexString `json:"return_type"`
}

type wireTextArea struct {
	Type flexString `json:"type"`
}

type wireLinking struct {
	Details flexObject[struct {
		Module moduleRef `json:"module"`
	}] `json:"linking_details"`
	Module moduleRef `json:"linking_module"`
}

func (l wireLinking) name() string {
	return firstOf(string(l.Details.Value.Module.APIName), string(l.Module.APIName))
}

type wirePickListRow struct {
	Display flexString `json:"display_value"`
	Actual  flexString `json:"actual_value"`
	ID      flexString `json:"id"`
	Type    flexString `json:"type"`
}

func (w wireField) field() Field {
	f := Field{
		APIName: string(w.APIName), Label: firstOf(string(w.FieldLabel), string(w.DisplayLabel)), ID: string(w.ID),
		DataType: strings.ToLower(string(w.DataType)), JSONType: strings.ToLower(string(w.JSONType)),
		Length: int(w.Length), DecimalPlaces: int(w.DecimalPlace), SystemMandatory: bool(w.Mandatory), Custom: bool(w.Custom),
		ReadOnly: bool(w.ReadOnly), FieldReadOnly: bool(w.FieldReadOnly), Visible: bool(w.Visible), Virtual: bool(w.Virtual),
		Filterable: bool(w.Filterable), Sortable: bool(w.Sortable), Viewable: bool(w.View.Value.View),
		Unique: w.Unique.Set, UniqueCase: bool(w.Unique.Value.Case || w.Unique.Value.CaseOld),
		External: string(w.External.Value.Type), Encrypted: w.Crypt.Set,
		LookupModule:  string(w.Lookup.Value.Module.APIName),
		LinkingModule: firstOf(w.MultiLookup.Value.name(), w.MultiUser.Value.name()),
		RichText:      strings.EqualFold(string(w.TextArea.Value.Type), "rich_text"),
		ReturnType:    firstOf(string(w.Formula.Value.Type), string(w.Rollup.Value.Type)),
	}
	if w.Operation.Set {
		f.Creatable, f.Updatable = bool(w.Operation.Value.Create), bool(w.Operation.Value.Update)
	} else { // versions before v7 say nothing
		f.Creatable, f.Updatable = !f.ReadOnly, !f.ReadOnly
	}
	if f.DataType == "subform" {
		f.Subform = firstOf(string(w.Associated.APIName), string(w.Subform.APIName))
	}
	for _, p := range w.PickList {
		f.PickList = append(f.PickList, PickListValue{
			Display: string(p.Display), Actual: firstOf(string(p.Actual), string(p.Display)), ID: string(p.ID), Unused: strings.EqualFold(string(p.Type), "unused"),
		})
	}
	return f
}

func firstOf(candidates ...string) string {
	for _, c := range candidates {
		if c != "" {
			return c
		}
	}
	return ""
}
