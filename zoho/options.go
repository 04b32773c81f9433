package zoho

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Option sources.
const (
	sourceModules = "modules"
	sourceUnique  = "unique_fields"
	sourceFields  = "fields"
	sourceLayouts = "layouts"
)

const defaultPageSize = 200

// Options lists modules, the unique fields of the chosen module, or its fields.
func (s *session) Options(ctx context.Context, request connector.OptionsRequest) (connector.OptionsPage, error) {
	var all []connector.Option
	var err error
	switch request.Source {
	case sourceModules:
		all, err = s.moduleOptions(ctx, request.Strategy)
	case sourceUnique:
		all, err = s.uniqueOptions(ctx, request)
	case sourceFields:
		all, err = s.fieldOptions(ctx, request)
	case sourceLayouts:
		all, err = s.layoutOptions(ctx, request.Answers.Get(fieldModule))
	default:
		err = connector.Errorf(connector.ClassConfig, "UNKNOWN_SOURCE", "the option source %q is unknown; use %s, %s, %s or %s", request.Source, sourceModules, sourceUnique, sourceFields, sourceLayouts)
	}
	if err != nil {
		return connector.OptionsPage{}, err
	}
	return page(all, request)
}

// page cuts one page out of the options that match the search. The token is
// the position of the next option.
func page(all []connector.Option, r connector.OptionsRequest) (connector.OptionsPage, error) {
	if needle := strings.ToLower(r.Search); needle != "" {
		all = slices.DeleteFunc(all, func(o connector.Option) bool {
			return !strings.Contains(strings.ToLower(o.Value), needle) && !strings.Contains(strings.ToLower(o.Label), needle)
		})
	}
	start, size := 0, r.PageSize
	if size <= 0 {
		size = defaultPageSize
	}
	if r.PageToken != "" {
		n, err := strconv.Atoi(r.PageToken)
		if err != nil || n < 0 {
			return connector.OptionsPage{}, connector.Errorf(connector.ClassConfig, "INVALID_PAGE_TOKEN", "the page token of source %q is not one of this connector's", r.Source)
		}
		start = min(n, len(all))
	}
	end := min(start+size, len(all))
	out := connector.OptionsPage{Options: all[start:end]}
	if end < len(all) {
		out.NextPageToken = strconv.Itoa(end)
	}
	return out, nil
}

func (s *session) moduleOptions(ctx context.Context, strategy string) ([]connector.Option, error) {
	modules, err := s.catalog.modules(ctx)
	if err != nil {
		return nil, err
	}
	var out []connector.Option
	for _, m := range modules {
		reason := unwritable(m, strategy)
		if reason == reasonHidden {
			continue
		}
		out = append(out, connector.Option{
			Value: m.APIName, Label: m.Plural, Description: moduleHint(m), Disabled: reason != "", DisabledReason: reason,
			Metadata: map[string]string{"generated_type": m.GeneratedType},
		})
	}
	return out, nil
}

func moduleHint(m crm.Module) string {
	if m.GeneratedType == "default" {
		return ""
	}
	return m.GeneratedType + " module"
}

// layoutField is the name by which records name their layout.
const layoutField = "Layout"

// layoutOptions lists the layouts records can be created in.
func (s *session) layoutOptions(ctx context.Context, module string) ([]connector.Option, error) {
	if module == "" {
		return nil, nil
	}
	layouts, err := s.catalog.layouts(ctx, module)
	if err != nil {
		return nil, err
	}
	var out []connector.Option
	for _, l := range layouts {
		if l.Visible {
			out = append(out, connector.Option{Value: l.ID, Label: l.Name, Metadata: map[string]string{"required": strings.Join(l.Required, ",")}})
		}
	}
	return out, nil
}

// creates reports whether a strategy creates records.
func creates(strategy string) bool {
	return strategy == strategyCreate || strategy == strategyUpsert || strategy == strategyMirror
}

// reasonHidden marks modules that are not worth showing.
const reasonHidden = "hidden"

// unwritable says why a strategy cannot write to a module; "" when it can.
func unwritable(m crm.Module, strategy string) string {
	edits := strategy == strategyUpdate || strategy == strategyUpsert || strategy == strategyMirror
	deletes := strategy == strategyDelete || strategy == strategyMirror
	switch {
	case !m.APISupported || !m.Viewable && !m.Creatable && !m.Editable && !m.Deletable:
		return reasonHidden
	case strategy != strategyDelete && !m.BulkWritable():
		return reasonHidden
	case creates(strategy) && !m.Creatable:
		return "the connected user may not create records here"
	case edits && !m.Editable:
		return "the connected user may not edit records here"
	case deletes && !m.Deletable:
		return "the connected user may not delete records here"
	}
	return ""
}

func (s *session) chosenFields(ctx context.Context, r connector.OptionsRequest) (crm.Module, []crm.Field, error) {
	name := r.Answers.Get(fieldModule)
	if name == "" {
		return crm.Module{}, nil, nil
	}
	m, err := s.catalog.module(ctx, name)
	if err != nil {
		return crm.Module{}, nil, err
	}
	fields, err := s.catalog.fields(ctx, name)
	return m, fields, err
}

// uniqueOptions lists what records can be found by: unique fields, and the
// record id where nothing is created.
func (s *session) uniqueOptions(ctx context.Context, r connector.OptionsRequest) ([]connector.Option, error) {
	m, fields, err := s.chosenFields(ctx, r)
	if err != nil || m.APIName == "" {
		return nil, err
	}
	var out []connector.Option
	if r.Strategy == strategyUpdate {
		out = append(out, idOption())
	}
	for _, f := range fields {
		if f.Unique && f.APIName != idField && (f.Creatable || f.Updatable) {
			out = append(out, fieldOption(f, false))
		}
	}
	return out, nil
}

func idOption() connector.Option {
	return connector.Option{
		Value: idField, Label: "Record id", TypeIcon: string(connector.KindString), Unique: true, Metadata: map[string]string{"data_type": "bigint"},
		Description: "Zoho's own id of the record",
	}
}

// fieldOptions lists what can be mapped, with marks for what must be.
func (s *session) fieldOptions(ctx context.Context, r connector.OptionsRequest) ([]connector.Option, error) {
	m, fields, err := s.chosenFields(ctx, r)
	if err != nil || m.APIName == "" {
		return nil, err
	}
	if r.Strategy == strategyDelete {
		o := idOption()
		o.Required = true
		return []connector.Option{o}, nil
	}
	unique := r.Answers.Get(fieldUnique)
	required, err := s.required(ctx, m, fields, r.Strategy, r.Answers.Get(fieldLayout))
	if err != nil {
		return nil, err
	}
	var out []connector.Option
	if r.Strategy == strategyUpdate {
		o := idOption()
		o.Required = unique == idField
		out = append(out, o)
	}
	for _, f := range fields {
		if !writable(f, r.Strategy) {
			continue
		}
		o := fieldOption(f, slices.Contains(required, f.APIName) || f.APIName == unique)
		out = append(out, o)
		out = append(out, s.lookupOptions(ctx, f)...)
	}
	return out, nil
}

// required are the fields that must be mapped where records are created: those
// mandatory in the module, and in the chosen layout or else in every layout.
func (s *session) required(ctx context.Context, m crm.Module, fields []crm.Field, strategy, chosen string) ([]string, error) {
	if !creates(strategy) {
		return nil, nil
	}
	layout, err := s.catalog.layoutFields(ctx, m.APIName, chosen)
	if err != nil && (chosen != "" || classOf(err) != connector.ClassPermission) {
		return nil, err
	}
	var out []string
	for _, f := range fields {
		// What the API cannot write, such as an automatic number, cannot be mapped.
		if (f.SystemMandatory || slices.Contains(layout, f.APIName)) && writable(f, strategy) {
			out = append(out, f.APIName)
		}
	}
	return out, nil
}

// lookupOptions offers to find the target of a lookup by one of the target's
// unique fields, and a user by e-mail. What cannot be listed is not offered.
func (s *session) lookupOptions(ctx context.Context, f crm.Field) []connector.Option {
	if isUser(f) {
		return []connector.Option{{
			Value: f.APIName + ".email", Label: f.Label + " by e-mail", TypeIcon: string(connector.KindString), Metadata: map[string]string{"data_type": "email"},
		}}
	}
	if f.DataType != "lookup" || f.LookupModule == "" {
		return nil
	}
	targets, err := s.catalog.fields(ctx, f.LookupModule)
	if err != nil {
		return nil
	}
	var out []connector.Option
	for _, t := range targets {
		if t.Unique && t.APIName != idField && t.External == "" {
			out = append(out, connector.Option{
				Value: f.APIName + "." + t.APIName, Label: f.Label + " by " + t.Label, TypeIcon: string(typeOf(t).Kind),
				Description: "found in " + f.LookupModule + "; written with bulk jobs only", Metadata: map[string]string{"data_type": t.DataType},
			})
		}
	}
	return out
}

func fieldOption(f crm.Field, required bool) connector.Option {
	o := connector.Option{
		Value: f.APIName, Label: f.Label, TypeIcon: string(typeOf(f).Kind), Required: required, Unique: f.Unique,
		Metadata: map[string]string{"data_type": f.DataType},
	}
	if f.Length > 0 {
		o.Metadata["max_length"] = strconv.Itoa(f.Length)
	}
	if f.LookupModule != "" {
		o.Metadata["lookup"] = f.LookupModule
		o.Description = "record id in " + f.LookupModule
	}
	if isUser(f) {
		o.Description = "user id"
	}
	if f.DataType == "multiselectpicklist" {
		o.Description = "choices joined with ; or a JSON array"
	}
	return o
}

func isUser(f crm.Field) bool { return f.DataType == "ownerlookup" || f.DataType == "userlookup" }

// notWritable are the types bulk write refuses
// (https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/limitations.html).
var notWritable = []string{
	"fileupload", "imageupload", "profileimage", "formula", "rollup_summary", "autonumber", "multiselectlookup", "multiuserlookup", "subform",
	"consent_lookup", "multi_module_lookup", "event_reminder", "rrule", "alarm", "layout", "territories", "address",
}

// systemFields are stamped by Zoho whatever is sent.
var systemFields = []string{"Created_By", "Created_Time", "Modified_By", "Modified_Time", "Tag", "Layout", "Last_Activity_Time", "Record_Image"}

// writable reports whether a strategy can write a field.
func writable(f crm.Field, strategy string) bool {
	if f.Virtual || slices.Contains(notWritable, strings.ToLower(f.DataType)) || slices.Contains(systemFields, f.APIName) || f.APIName == idField {
		return false
	}
	switch strategy {
	case strategyCreate:
		return f.Creatable
	case strategyUpdate:
		return f.Updatable || f.Unique && f.Creatable
	}
	return f.Creatable || f.Updatable
}
