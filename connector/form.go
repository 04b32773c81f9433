package connector

// Answers are the values a user gave to the fields of a form, by field name.
// Every value is canonical text: a number as digits, a checkbox as "true" or
// "false", a multi-select as several values. A field that was answered with
// nothing is present with an empty list; one that was not answered is absent.
type Answers map[string][]string

// Get returns the first value of a field, or "" when there is none.
func (a Answers) Get(field string) string {
	if v := a[field]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Bool reports whether a checkbox field is answered with "true".
func (a Answers) Bool(field string) bool { return a.Get(field) == "true" }

// Form is a list of fields, with a mapper where records are mapped.
type Form struct {
	// Fields are shown in this order.
	Fields []Field
	// Mapper says how source columns become what the app takes; outbound
	// forms only, nil elsewhere.
	Mapper *Mapper
}

// FieldKind is the kind of input a [Field] is rendered as.
type FieldKind string

// The kinds of field.
const (
	FieldInput       FieldKind = "input"
	FieldTextArea    FieldKind = "text_area"
	FieldNumber      FieldKind = "number"
	FieldCheckbox    FieldKind = "checkbox"
	FieldRadio       FieldKind = "radio"
	FieldDropdown    FieldKind = "dropdown"
	FieldSlider      FieldKind = "slider"
	FieldKeyPair     FieldKind = "key_pair"
	FieldCertificate FieldKind = "certificate"
	// FieldInformation shows its help text and takes no answer.
	FieldInformation FieldKind = "information"
)

// Field is one question of a form.
type Field struct {
	// Name identifies the field in [Answers]. Required, unique in the form.
	Name string
	// Kind says how it is rendered. Required.
	Kind FieldKind
	// Label is the question. Required except for information boxes.
	Label string
	// Help explains the field, in plain text. Optional.
	Help string
	// Default is the answer assumed when the user gives none.
	Default []string
	// Required fields must have a non-empty answer.
	Required bool
	// Secret answers are stored encrypted and never shown again.
	Secret bool
	// DependsOn lists the conditions under which the field applies; all must hold.
	DependsOn []Condition
	// ReloadOnChange asks the host to fetch the form anew when the answer changes.
	ReloadOnChange bool
	// Validation limits the answer.
	Validation Validation
	// Options are the choices of a radio, dropdown or slider, when fixed.
	Options []Option
	// OptionSource names the source of choices, when dynamic; then Options is empty.
	OptionSource string
	// Multiple allows several choices in a dropdown.
	Multiple bool
}

// Condition holds when the answer to Field is one of Values, or is any
// non-empty answer when Values is empty.
type Condition struct {
	Field  string
	Values []string
}

// Validation limits an answer. Zero values set no limit.
type Validation struct {
	// Pattern is an RE2 expression the whole text must match.
	Pattern string
	// PatternMessage says in words what Pattern wants.
	PatternMessage string
	// Min and Max bound a number; Step is the slider's step. Nil is unbounded.
	Min, Max, Step *float64
	// MinLength and MaxLength bound the text in Unicode code points; 0 is unbounded.
	MinLength, MaxLength int
}

// Option is one choice of a field or one app field of a mapper.
type Option struct {
	// Value is stored; Label is shown and defaults to Value.
	Value, Label string
	// Description is a line of explanation. Optional.
	Description string
	// TypeIcon hints at the type of an app field: a [Kind] name. Optional.
	TypeIcon string
	// Required marks an app field that must be mapped.
	Required bool
	// Unique marks an app field whose value identifies a record.
	Unique bool
	// Disabled options are shown but cannot be chosen; DisabledReason says why.
	Disabled       bool
	DisabledReason string
	// Metadata holds further facts for programs, such as "max_length".
	Metadata map[string]string
}

// Mapper says how rows become what the app takes. Exactly one field is set.
type Mapper struct {
	// Fields maps source columns or SQL expressions to app fields.
	Fields *FieldMapper
	// Template renders one text per record.
	Template *TemplateMapper
}

// FieldMapper maps source columns or expressions to app fields.
type FieldMapper struct {
	// OptionSource names the source of app fields. Required.
	OptionSource string
	// Label is the caption of the app side, for instance "Leads fields".
	Label string
}

// TemplateMapper renders one text per record.
type TemplateMapper struct {
	// Label is the caption; Help explains what may be written.
	Label, Help string
	// MaxLength bounds the rendered text in Unicode code points; 0 is unbounded.
	MaxLength int
}

// FormRequest asks for a configuration form.
type FormRequest struct {
	// Strategy is the name of the chosen strategy; outbound only.
	Strategy string
	// Answers are those chosen so far.
	Answers Answers
}

// Direction is outbound (warehouse to app) or inbound (app to warehouse).
type Direction string

// The two directions.
const (
	DirectionOutbound Direction = "outbound"
	DirectionInbound  Direction = "inbound"
)

// OptionsRequest asks for one page of an option source.
type OptionsRequest struct {
	// Source is the name of the option source. Required.
	Source string
	// Direction and Strategy say which form asks.
	Direction Direction
	Strategy  string
	// Answers are those chosen so far; a source may depend on them.
	Answers Answers
	// Search keeps options whose value or label contains it, ignoring case.
	Search string
	// PageToken continues a listing. PageSize is a hint; 0 means 200.
	PageToken string
	PageSize  int
}

// OptionsPage is one page of options. NextPageToken is empty on the last page.
type OptionsPage struct {
	Options       []Option
	NextPageToken string
}
