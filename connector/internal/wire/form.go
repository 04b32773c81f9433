package wire

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var fieldKinds = newEnum(map[connector.FieldKind]connectorv1.FieldKind{
	connector.FieldInput:       connectorv1.FieldKind_FIELD_KIND_INPUT,
	connector.FieldTextArea:    connectorv1.FieldKind_FIELD_KIND_TEXT_AREA,
	connector.FieldNumber:      connectorv1.FieldKind_FIELD_KIND_NUMBER,
	connector.FieldCheckbox:    connectorv1.FieldKind_FIELD_KIND_CHECKBOX,
	connector.FieldRadio:       connectorv1.FieldKind_FIELD_KIND_RADIO,
	connector.FieldDropdown:    connectorv1.FieldKind_FIELD_KIND_DROPDOWN,
	connector.FieldSlider:      connectorv1.FieldKind_FIELD_KIND_SLIDER,
	connector.FieldKeyPair:     connectorv1.FieldKind_FIELD_KIND_KEY_PAIR,
	connector.FieldCertificate: connectorv1.FieldKind_FIELD_KIND_CERTIFICATE,
	connector.FieldInformation: connectorv1.FieldKind_FIELD_KIND_INFORMATION,
})

// Form makes a form.
func Form(f connector.Form) (*connectorv1.Form, error) {
	fields, err1 := list("fields", f.Fields, field)
	mapper, err2 := mapper(f.Mapper)
	return &connectorv1.Form{Fields: fields, Mapper: mapper}, first(err1, within("mapper", err2), checkForm(f))
}

// FormFrom reads a form.
func FormFrom(f *connectorv1.Form) (connector.Form, error) {
	if f == nil {
		return connector.Form{}, broken("form", "is required")
	}
	fields, err1 := list("fields", f.Fields, fieldFrom)
	mapper, err2 := mapperFrom(f.Mapper)
	out := connector.Form{Fields: fields, Mapper: mapper}
	return out, first(err1, within("mapper", err2), checkForm(out))
}

func checkForm(f connector.Form) error {
	earlier := make(map[string]bool, len(f.Fields))
	for i, field := range f.Fields {
		if earlier[field.Name] {
			return broken(fmt.Sprintf("fields[%d].name", i), "repeats that of an earlier field")
		}
		for j, c := range field.DependsOn {
			if !earlier[c.Field] {
				return broken(fmt.Sprintf("fields[%d].depends_on[%d].field", i, j), "does not name an earlier field")
			}
		}
		earlier[field.Name] = true
	}
	return nil
}

func field(f connector.Field) (*connectorv1.Field, error) {
	kind, err1 := fieldKinds.out("kind", f.Kind)
	options, err2 := list("options", f.Options, Option)
	out := &connectorv1.Field{
		Name: f.Name, Kind: kind, Label: f.Label, Help: f.Help, DefaultValues: f.Default, Required: f.Required, Secret: f.Secret,
		ReloadOnChange: f.ReloadOnChange, Validation: validation(f.Validation), Options: options, OptionSource: f.OptionSource, Multiple: f.Multiple,
	}
	for _, c := range f.DependsOn {
		out.DependsOn = append(out.DependsOn, &connectorv1.Condition{Field: c.Field, Values: c.Values})
	}
	return out, first(err1, err2, checkField(f))
}

func fieldFrom(f *connectorv1.Field) (connector.Field, error) {
	kind, err1 := fieldKinds.in("kind", f.GetKind())
	options, err2 := list("options", f.GetOptions(), OptionFrom)
	out := connector.Field{
		Name: f.GetName(), Kind: kind, Label: f.GetLabel(), Help: f.GetHelp(), Default: f.GetDefaultValues(), Required: f.GetRequired(), Secret: f.GetSecret(),
		ReloadOnChange: f.GetReloadOnChange(), Validation: validationFrom(f.GetValidation()), Options: options, OptionSource: f.GetOptionSource(), Multiple: f.GetMultiple(),
	}
	for _, c := range f.GetDependsOn() {
		out.DependsOn = append(out.DependsOn, connector.Condition{Field: c.GetField(), Values: c.GetValues()})
	}
	return out, first(err1, err2, checkField(out))
}

func checkField(f connector.Field) error {
	choice := slices.Contains([]connector.FieldKind{connector.FieldRadio, connector.FieldDropdown, connector.FieldSlider}, f.Kind)
	switch {
	case f.Kind == connector.FieldInformation && f.Help == "":
		return broken("help", "is required for an information box")
	case f.Kind != connector.FieldInformation && f.Label == "":
		return broken("label", "is required")
	case !choice && (len(f.Options) > 0 || f.OptionSource != ""):
		return broken("options", "are only for radio, dropdown and slider")
	case len(f.Options) > 0 && f.OptionSource != "":
		return broken("option_source", "excludes options")
	case f.Multiple && f.Kind != connector.FieldDropdown:
		return broken("multiple", "is only for dropdown")
	}
	return first(required("name", f.Name), checkValidation(f.Validation),
		unique("options", "value", f.Options, func(o connector.Option) string { return o.Value }))
}

func validation(v connector.Validation) *connectorv1.Validation {
	if v == (connector.Validation{}) {
		return nil
	}
	return &connectorv1.Validation{
		Pattern: v.Pattern, PatternMessage: v.PatternMessage, Min: v.Min, Max: v.Max, Step: v.Step,
		MinLength: int32(v.MinLength), MaxLength: int32(v.MaxLength),
	}
}

func validationFrom(v *connectorv1.Validation) connector.Validation {
	if v == nil {
		return connector.Validation{}
	}
	return connector.Validation{
		Pattern: v.Pattern, PatternMessage: v.PatternMessage, Min: v.Min, Max: v.Max, Step: v.Step,
		MinLength: int(v.MinLength), MaxLength: int(v.MaxLength),
	}
}

func checkValidation(v connector.Validation) error {
	if v.MaxLength > 0 && v.MinLength > v.MaxLength {
		return broken("validation.min_length", "exceeds max_length")
	}
	if v.Min != nil && v.Max != nil && *v.Min > *v.Max {
		return broken("validation.min", "exceeds max")
	}
	return first(pattern("validation.pattern", v.Pattern),
		small("validation.min_length", v.MinLength), small("validation.max_length", v.MaxLength))
}

// Option makes an option.
func Option(o connector.Option) (*connectorv1.Option, error) {
	out := &connectorv1.Option{
		Value: o.Value, Label: o.Label, Description: o.Description, TypeIcon: o.TypeIcon, Required: o.Required, Unique: o.Unique,
		Disabled: o.Disabled, DisabledReason: o.DisabledReason,
	}
	for _, name := range slices.Sorted(maps.Keys(o.Metadata)) {
		out.Metadata = append(out.Metadata, &connectorv1.Metadata{Name: name, Value: o.Metadata[name]})
	}
	return out, checkOption(o)
}

// OptionFrom reads an option.
func OptionFrom(o *connectorv1.Option) (connector.Option, error) {
	out := connector.Option{
		Value: o.GetValue(), Label: o.GetLabel(), Description: o.GetDescription(), TypeIcon: o.GetTypeIcon(), Required: o.GetRequired(), Unique: o.GetUnique(),
		Disabled: o.GetDisabled(), DisabledReason: o.GetDisabledReason(),
	}
	for _, m := range o.GetMetadata() {
		if out.Metadata == nil {
			out.Metadata = make(map[string]string, len(o.GetMetadata()))
		}
		if _, repeated := out.Metadata[m.GetName()]; repeated {
			return out, broken("metadata", "has the same name twice")
		}
		out.Metadata[m.GetName()] = m.GetValue()
	}
	return out, checkOption(out)
}

func checkOption(o connector.Option) error {
	if _, nameless := o.Metadata[""]; nameless {
		return broken("metadata", "has an entry without name")
	}
	return required("value", o.Value)
}

func mapper(m *connector.Mapper) (*connectorv1.Mapper, error) {
	if m == nil {
		return nil, nil
	}
	out := &connectorv1.Mapper{}
	if f := m.Fields; f != nil {
		out.Kind = &connectorv1.Mapper_Fields{Fields: &connectorv1.FieldMapper{OptionSource: f.OptionSource, Label: f.Label}}
	} else if t := m.Template; t != nil {
		out.Kind = &connectorv1.Mapper_Template{Template: &connectorv1.TemplateMapper{Label: t.Label, Help: t.Help, MaxLength: int32(t.MaxLength)}}
	}
	return out, checkMapper(m)
}

func mapperFrom(m *connectorv1.Mapper) (*connector.Mapper, error) {
	if m == nil {
		return nil, nil
	}
	out := &connector.Mapper{}
	switch k := m.Kind.(type) {
	case *connectorv1.Mapper_Fields:
		out.Fields = &connector.FieldMapper{OptionSource: k.Fields.GetOptionSource(), Label: k.Fields.GetLabel()}
	case *connectorv1.Mapper_Template:
		out.Template = &connector.TemplateMapper{Label: k.Template.GetLabel(), Help: k.Template.GetHelp(), MaxLength: int(k.Template.GetMaxLength())}
	}
	return out, checkMapper(out)
}

func checkMapper(m *connector.Mapper) error {
	switch {
	case (m.Fields == nil) == (m.Template == nil):
		return broken("kind", "must be exactly one")
	case m.Fields != nil:
		return required("fields.option_source", m.Fields.OptionSource)
	}
	return small("template.max_length", m.Template.MaxLength)
}
