package conformance

import (
	"context"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"github.com/sluiceio/sluice/connector"
)

var formLaws = []Law{
	{"L-101", AreaForms, "ConnectionForm answers with at least one method; names are unique.", goodMethods},
	{"L-102", AreaForms, "ConnectionForm answers the same to the same answers.", stableForm},
	{"L-103", AreaForms, "An OAuth template has a grant the contract has, a consent page where the user consents, and names the form field with the client id.", goodOAuth},
	{"L-104", AreaForms, "Every strategy and the inbound direction have a form.", func(x *exam) error {
		if _, err := x.allForms(); err != nil {
			return x.trouble("asking for the forms", x.forms.err)
		}
		return nil
	}},
	{"L-105", AreaForms, "Field names are unique within a form.", eachForm(func(f namedForm) error {
		return unique(f.name, f.form.Fields, func(f connector.Field) string { return f.Name })
	})},
	{"L-106", AreaForms, "A field has a kind that the contract has.", eachField(func(_ namedForm, f connector.Field) error {
		if !slices.Contains(fieldKinds, f.Kind) {
			return breach("its kind is %q", f.Kind)
		}
		return nil
	})},
	{"L-107", AreaForms, "A field has a label, an information box has a help text.", eachField(func(_ namedForm, f connector.Field) error {
		if f.Kind == connector.FieldInformation && f.Help == "" || f.Kind != connector.FieldInformation && f.Label == "" {
			return breach("it has no text")
		}
		return nil
	})},
	{"L-108", AreaForms, "depends_on names earlier fields of the same form.", eachForm(earlierConditions)},
	{"L-109", AreaForms, "Only radios, dropdowns and sliders have choices; a radio and a dropdown have fixed ones or an option source, not both.", eachField(goodChoices)},
	{"L-110", AreaForms, "Fixed options have unique values.", eachField(func(_ namedForm, f connector.Field) error {
		return unique("options", f.Options, func(o connector.Option) string { return o.Value })
	})},
	{"L-111", AreaForms, "Limits on an answer can be met, and the pattern is an RE2 expression.", eachField(goodValidation)},
	{"L-112", AreaForms, "The default of a field is an answer it accepts.", eachField(goodDefault)},
	{"L-113", AreaForms, "A secret field has no default.", eachField(func(_ namedForm, f connector.Field) error {
		if f.Secret && len(f.Default) > 0 {
			return breach("it is secret and has a default")
		}
		return nil
	})},
	{"L-114", AreaForms, "A mapper is either a field mapper that names its option source, or a template; only outbound forms have one.", eachForm(goodMapper)},
}

var fieldKinds = []connector.FieldKind{
	connector.FieldInput, connector.FieldTextArea, connector.FieldNumber, connector.FieldCheckbox, connector.FieldRadio,
	connector.FieldDropdown, connector.FieldSlider, connector.FieldKeyPair, connector.FieldCertificate, connector.FieldInformation,
}

// namedForm is a form, and what asked for it.
type namedForm struct {
	name     string
	outbound bool
	request  connector.OptionsRequest // how its sources are asked
	form     connector.Form
}

// allForms are the forms of the connection's methods and, where there is a
// connection, those of the strategies and of the inbound direction, each
// without answers and with the answers given.
func (x *exam) allForms() ([]namedForm, error) {
	forms, err := x.forms.get(x.findForms)
	return forms, see("L-104", err)
}

func (x *exam) findForms() ([]namedForm, error) {
	var forms []namedForm
	connection, err := x.connectionForm()
	if err != nil {
		return nil, err
	}
	for _, m := range connection.Methods {
		forms = append(forms, namedForm{name: "connection method " + m.Name, form: m.Form})
	}
	m, err := x.manifest()
	if err != nil {
		return nil, err
	}
	s, err := x.bound()
	if err != nil {
		return forms, nil // the connection's forms are judged all the same
	}
	if o, ok := s.(connector.Outbound); ok {
		for _, strategy := range m.Strategies {
			for _, answers := range x.answersFor(strategy.Name) {
				form, err := ask(x, "OutboundForm", x.options.Patience, func(ctx context.Context) (connector.Form, error) {
					return o.OutboundForm(ctx, connector.FormRequest{Strategy: strategy.Name, Answers: answers})
				})
				if err != nil {
					return nil, err
				}
				request := connector.OptionsRequest{Direction: connector.DirectionOutbound, Strategy: strategy.Name, Answers: answers}
				forms = append(forms, namedForm{name: "outbound form of " + strategy.Name, outbound: true, form: form, request: request})
			}
		}
	}
	if i, ok := s.(connector.Inbound); ok && m.Inbound {
		answers := connector.Answers{}
		if x.subject.Inbound != nil {
			answers = x.subject.Inbound.Answers
		}
		form, err := ask(x, "InboundForm", x.options.Patience, func(ctx context.Context) (connector.Form, error) {
			return i.InboundForm(ctx, connector.FormRequest{Answers: answers})
		})
		if err != nil {
			return nil, err
		}
		forms = append(forms, namedForm{name: "inbound form", form: form, request: connector.OptionsRequest{Direction: connector.DirectionInbound, Answers: answers}})
	}
	return forms, nil
}

// answersFor are the answers a strategy's form is asked with.
func (x *exam) answersFor(strategy string) []connector.Answers {
	if o := x.subject.Outbound; o != nil && o.Strategy == strategy && len(o.Answers) > 0 {
		return []connector.Answers{nil, o.Answers}
	}
	return []connector.Answers{nil}
}

func eachForm(check func(namedForm) error) func(*exam) error {
	return func(x *exam) error {
		forms, err := x.allForms()
		if err != nil {
			return err
		}
		for _, f := range forms {
			if err := check(f); err != nil {
				return err
			}
		}
		return nil
	}
}

func eachField(check func(namedForm, connector.Field) error) func(*exam) error {
	return eachForm(func(form namedForm) error {
		for _, f := range form.form.Fields {
			if err := check(form, f); err != nil {
				return breach("%s, field %q: %v", form.name, f.Name, err)
			}
		}
		return nil
	})
}

func goodMethods(x *exam) error {
	form, err := x.connectionForm()
	if err != nil {
		return x.trouble("ConnectionForm", x.methods.err)
	}
	if len(form.Methods) == 0 {
		return breach("there is no way to connect")
	}
	return unique("connection methods", form.Methods, func(m connector.ConnectionMethod) string { return m.Name })
}

func stableForm(x *exam) error {
	first, err := x.connectionForm()
	if err != nil {
		return err
	}
	second, err := ask(x, "ConnectionForm", x.options.Patience, func(ctx context.Context) (connector.ConnectionForm, error) {
		return x.base.value.ConnectionForm(ctx, x.subject.Connection.Answers)
	})
	if err != nil {
		return x.trouble("ConnectionForm", err)
	}
	if !reflect.DeepEqual(first, second) {
		return breach("two calls of ConnectionForm gave different answers")
	}
	return nil
}

func goodOAuth(x *exam) error {
	form, err := x.connectionForm()
	if err != nil {
		return err
	}
	for _, m := range form.Methods {
		if m.OAuth == nil {
			continue
		}
		u, err := url.Parse(m.OAuth.AuthorizationURL)
		switch {
		case m.OAuth.Grant != connector.OAuthAuthorizationCode && m.OAuth.Grant != connector.OAuthClientCredentials:
			return breach("method %s: the grant is %q", m.Name, m.OAuth.Grant)
		case m.OAuth.Grant == connector.OAuthAuthorizationCode && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http"):
			return breach("method %s: the consent page is %q", m.Name, m.OAuth.AuthorizationURL)
		case !slices.ContainsFunc(m.Form.Fields, func(f connector.Field) bool { return f.Name == m.OAuth.ClientIDField }):
			return breach("method %s: the client id is in %q, which is no field of the form", m.Name, m.OAuth.ClientIDField)
		}
	}
	return nil
}

func earlierConditions(f namedForm) error {
	earlier := map[string]bool{}
	for _, field := range f.form.Fields {
		for _, c := range field.DependsOn {
			if !earlier[c.Field] {
				return breach("%s: field %q depends on %q, which is not an earlier field", f.name, field.Name, c.Field)
			}
		}
		earlier[field.Name] = true
	}
	return nil
}

func goodChoices(_ namedForm, f connector.Field) error {
	chosen := f.Kind == connector.FieldRadio || f.Kind == connector.FieldDropdown
	has := len(f.Options) > 0 || f.OptionSource != ""
	switch {
	case len(f.Options) > 0 && f.OptionSource != "":
		return breach("it has options and an option source")
	case chosen && !has:
		return breach("it has no options")
	case has && !chosen && f.Kind != connector.FieldSlider:
		return breach("it is of kind %s and has options", f.Kind)
	case f.Multiple && f.Kind != connector.FieldDropdown:
		return breach("it is of kind %s and takes several choices", f.Kind)
	}
	return nil
}

func goodValidation(_ namedForm, f connector.Field) error {
	v := f.Validation
	if _, err := regexp.Compile(v.Pattern); err != nil {
		return breach("its pattern: %v", err)
	}
	if v.Min != nil && v.Max != nil && *v.Min > *v.Max || v.MinLength < 0 || v.MaxLength < 0 || v.MaxLength > 0 && v.MinLength > v.MaxLength || v.Step != nil && *v.Step <= 0 {
		return breach("no answer is within its limits")
	}
	return nil
}

func goodDefault(_ namedForm, f connector.Field) error {
	if len(f.Default) > 1 && !f.Multiple {
		return breach("it has several defaults and takes one answer")
	}
	for _, d := range f.Default {
		switch {
		case f.Kind == connector.FieldInformation:
			return breach("it takes no answer and has a default")
		case f.Kind == connector.FieldCheckbox && d != "true" && d != "false":
			return breach("its default is %q, not true or false", d)
		case len(f.Options) > 0 && !slices.ContainsFunc(f.Options, func(o connector.Option) bool { return o.Value == d && !o.Disabled }):
			return breach("its default %q is none of its options", d)
		}
		if err := defaultWithin(f, d); err != nil {
			return err
		}
	}
	return nil
}

func defaultWithin(f connector.Field, text string) error {
	v := f.Validation
	if re, err := regexp.Compile(`^(?:` + v.Pattern + `)$`); v.Pattern != "" && err == nil && !re.MatchString(text) {
		return breach("its default %q does not match its pattern", text)
	}
	if f.Kind != connector.FieldNumber && f.Kind != connector.FieldSlider {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || v.Min != nil && n < *v.Min || v.Max != nil && n > *v.Max {
		return breach("its default %q is not a number within its limits", text)
	}
	return nil
}

func goodMapper(f namedForm) error {
	m := f.form.Mapper
	switch {
	case m == nil:
		return nil
	case !f.outbound:
		return breach("%s has a mapper", f.name)
	case (m.Fields == nil) == (m.Template == nil):
		return breach("%s: its mapper is not one of the two kinds", f.name)
	case m.Fields != nil && m.Fields.OptionSource == "":
		return breach("%s: its mapper names no option source", f.name)
	}
	return nil
}
