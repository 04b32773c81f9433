package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// ValidateSync checks a sync, which need not be stored, against its connector:
// the strategy exists; required answers are given and options are among those
// offered; mapped fields exist, can be written, and include the mandatory ones;
// streams exist and can be read as asked. The error is a [connector.Error] of
// class CONFIG that lists every finding as a field violation; other errors mean
// that the check could not be made.
func (e *Engine) ValidateSync(ctx context.Context, sync Sync) error {
	if (sync.Outbound == nil) == (sync.Inbound == nil) {
		return connector.Errorf(connector.ClassConfig, "BAD_SYNC", "sync %s must be either outbound or inbound", sync.Name)
	}
	connection, err := e.store.Connection(ctx, sync.Connection)
	if err != nil {
		return fmt.Errorf("connection %s of sync %s: %w", sync.Connection, sync.Name, err)
	}
	if !connection.Limits.Empty() {
		if err := CheckOverrides(connection.Limits, sync); err != nil {
			return err
		}
	}
	h, err := e.open(ctx, connection)
	if err != nil {
		return err
	}
	v := &validation{ctx: ctx, handle: h, sync: sync, parse: e.parseTemplate}
	if sync.Outbound != nil {
		err = v.outbound()
	} else {
		err = v.inbound()
	}
	if err != nil {
		err = fmt.Errorf("checking sync %s: %w", sync.Name, withLastWords(err, h.running))
	}
	_ = h.close() // the question is answered
	if err != nil || v.found == nil {
		return err
	}
	return &connector.Error{
		Class: connector.ClassConfig, Code: "BAD_SYNC",
		Message: fmt.Sprintf("sync %s does not fit connection %s", sync.Name, sync.Connection), Fields: v.found,
	}
}

// validation gathers what is wrong with a sync.
type validation struct {
	ctx     context.Context
	handle  *handle
	sync    Sync
	parse   func(string) (Template, error)
	request connector.OptionsRequest
	found   []connector.FieldViolation
}

func (v *validation) violation(field, format string, args ...any) {
	v.found = append(v.found, connector.FieldViolation{Field: field, Description: fmt.Sprintf(format, args...)})
}

func (v *validation) outbound() error {
	spec := v.sync.Outbound
	manifest, err := v.handle.running.Manifest(v.ctx)
	if err != nil {
		return err
	}
	if _, err := strategyNamed(manifest, spec.Strategy); err != nil {
		v.found = append(v.found, connector.AsError(err).Fields...)
		return nil // everything else depends on the strategy
	}
	v.request = connector.OptionsRequest{Direction: connector.DirectionOutbound, Strategy: spec.Strategy, Answers: spec.Answers}
	form, err := syncForm(v.ctx, v.handle.session, connector.DirectionOutbound, connector.FormRequest{Strategy: spec.Strategy, Answers: spec.Answers})
	if err != nil {
		return err
	}
	if err := v.answers(form, spec.Answers); err != nil {
		return err
	}
	if v.found != nil {
		return nil // the mapping depends on the answers
	}
	if spec.Template != "" {
		v.template(form.Mapper, spec)
		return nil
	}
	return v.mapping(form.Mapper, spec.Mappings)
}

func (v *validation) inbound() error {
	spec := v.sync.Inbound
	v.request = connector.OptionsRequest{Direction: connector.DirectionInbound, Answers: spec.Answers}
	form, err := syncForm(v.ctx, v.handle.session, connector.DirectionInbound, connector.FormRequest{Answers: spec.Answers})
	if err != nil {
		return err
	}
	if err := v.answers(form, spec.Answers); err != nil {
		return err
	}
	if len(spec.Streams) == 0 {
		v.violation("streams", "choose at least one stream")
	}
	return v.streams(spec)
}

// answers checks the answers of the fields that apply.
func (v *validation) answers(form connector.Form, answers connector.Answers) error {
	var names []string
	for _, f := range form.Fields {
		names = append(names, f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		if !slices.Contains(names, name) {
			v.violation(name, "the form has no such field%s", didYouMean(name, names))
		}
	}
	for _, f := range form.Fields {
		if f.Kind == connector.FieldInformation || !applies(f, form, answers) {
			continue
		}
		if err := v.answer(f, answers[f.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (v *validation) answer(f connector.Field, values []string) error {
	if len(values) == 0 {
		values = f.Default
	}
	values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
	if len(values) == 0 {
		if f.Required {
			v.violation(f.Name, "%s: an answer is required", nameOr(f.Label, f.Name))
		}
		return nil
	}
	if len(values) > 1 && !f.Multiple {
		v.violation(f.Name, "takes one answer, not %d", len(values))
	}
	options := f.Options
	if f.OptionSource != "" {
		var err error
		if options, err = v.options(f.OptionSource); err != nil {
			return err
		}
	} else if len(options) == 0 {
		for _, value := range values {
			checkText(v, f, value)
		}
		return nil
	}
	for _, value := range values {
		v.choice(f.Name, value, options)
	}
	return nil
}

// choice checks that an option exists and can be chosen.
func (v *validation) choice(field, value string, options []connector.Option) {
	at := slices.IndexFunc(options, func(o connector.Option) bool { return o.Value == value })
	switch {
	case at < 0:
		v.violation(field, "there is no %q to choose%s", value, didYouMean(value, optionValues(options)))
	case options[at].Disabled:
		v.violation(field, "%q cannot be chosen: %s", value, nameOr(options[at].DisabledReason, "it is disabled"))
	}
}

// options fetches all pages of an option source.
func (v *validation) options(source string) ([]connector.Option, error) {
	lister, ok := v.handle.session.(connector.OptionLister)
	if !ok {
		return nil, defect("its form refers to option source %q, but it lists no options", source)
	}
	request := v.request
	request.Source = source
	var all []connector.Option
	for {
		page, err := lister.Options(v.ctx, request)
		if err != nil {
			return nil, fmt.Errorf("options of %s: %w", source, err)
		}
		all = append(all, page.Options...)
		if page.NextPageToken == "" {
			return all, nil
		}
		if page.NextPageToken == request.PageToken {
			return nil, defect("option source %q goes on for ever at page %q", source, request.PageToken)
		}
		request.PageToken = page.NextPageToken
	}
}

// mapping checks the mapped fields.
func (v *validation) mapping(mapper *connector.Mapper, mappings []Mapping) error {
	if len(mappings) == 0 {
		v.violation("mappings", "map at least one field")
		return nil
	}
	for i, m := range mappings {
		if (m.Column == "") == (m.Expression == "") {
			v.violation("mappings."+m.Field, "needs either a column or an expression")
		}
		if slices.ContainsFunc(mappings[:i], func(other Mapping) bool { return other.Field == m.Field }) {
			v.violation("mappings."+m.Field, "is mapped twice")
		}
	}
	if mapper == nil || mapper.Fields == nil {
		return v.text(mapper, mappings)
	}
	options, err := v.options(mapper.Fields.OptionSource)
	if err != nil {
		return err
	}
	for _, m := range mappings {
		at := slices.IndexFunc(options, func(o connector.Option) bool { return o.Value == m.Field })
		switch {
		case at < 0:
			v.violation("mappings."+m.Field, "the app has no such field%s", didYouMean(m.Field, optionValues(options)))
		case options[at].Disabled:
			v.violation("mappings."+m.Field, "cannot be written: %s", nameOr(options[at].DisabledReason, "it is read-only"))
		}
	}
	for _, o := range options {
		mapped := slices.ContainsFunc(mappings, func(m Mapping) bool { return m.Field == o.Value })
		if o.Required && !o.Disabled && !mapped {
			v.violation("mappings."+o.Value, "%s is mandatory and must be mapped", nameOr(o.Label, o.Value))
		}
	}
	return nil
}

// text checks the mapping of a text that SQL makes, in place of a template.
func (v *validation) text(mapper *connector.Mapper, mappings []Mapping) error {
	if mapper != nil && mapper.Template != nil && (len(mappings) != 1 || mappings[0].Field != textField) {
		v.violation("mappings", "the connector takes one text per record: give a template, or map the field %q alone", textField)
	}
	return nil
}

// template checks what can be said of a template without the source.
func (v *validation) template(mapper *connector.Mapper, spec *OutboundSpec) {
	if len(spec.Mappings) > 0 {
		v.violation("template", "a sync has either a template or mappings")
	}
	if mapper == nil || mapper.Template == nil {
		v.violation("template", "the connector takes fields, not a text: map them")
		return
	}
	if _, err := v.parse(spec.Template); err != nil {
		v.found = append(v.found, connector.AsError(err).Fields...)
	}
}

// streams checks that streams exist and can be read and kept as asked.
func (v *validation) streams(spec *InboundSpec) error {
	inbound, err := inboundOf(v.handle.session)
	if err != nil {
		return err
	}
	all, err := inbound.Streams(v.ctx, connector.StreamQuery{Answers: spec.Answers})
	if err != nil {
		return err
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	tables := map[string]string{}
	for i, s := range spec.Streams {
		field := "streams." + s.Name
		at := slices.Index(names, s.Name)
		if at < 0 {
			v.violation(field, "there is no such stream%s", didYouMean(s.Name, names))
			continue
		}
		if slices.ContainsFunc(spec.Streams[:i], func(other StreamSpec) bool { return other.Name == s.Name }) {
			v.violation(field, "is listed twice")
		}
		book, err := newStreamBook(v.sync, s, all[at])
		if err != nil {
			v.found = append(v.found, connector.AsError(err).Fields...)
			continue
		}
		table := strings.ToLower(book.target.Table)
		if other, taken := tables[table]; taken && other != s.Name {
			v.violation(field, "fills the same table as stream %s: %s", other, book.target.Table)
		}
		tables[table] = s.Name
	}
	return nil
}

func optionValues(options []connector.Option) []string {
	values := make([]string, len(options))
	for i, o := range options {
		values[i] = o.Value
	}
	return values
}
