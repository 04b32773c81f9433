package conformance

import (
	"context"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

var optionLaws = []Law{
	{"L-301", AreaOptions, "Every option source that a form names is answered.", func(x *exam) error {
		if _, err := x.allSources(); err != nil {
			return x.trouble("Options", x.sources.err)
		}
		return nil
	}},
	{"L-302", AreaOptions, "The values of a source's options are present and unique, over all pages.", eachSource(func(_ *exam, s *source) error {
		return unique("the source "+s.request.Source, s.options, func(o connector.Option) string { return o.Value })
	})},
	{"L-303", AreaOptions, "Small pages together list the same options as large ones.", eachSource(samePages)},
	{"L-304", AreaOptions, "A search keeps the options whose value or label contains it, ignoring case, and no others.", eachSource(searches)},
	{"L-305", AreaOptions, "An unknown option source is a CONFIG error.", unknownSource},
}

// source is an option source and all of its options.
type source struct {
	request connector.OptionsRequest
	options []connector.Option
}

// maxPages bounds a listing, which might never end.
const maxPages = 1000

func (x *exam) allSources() ([]*source, error) {
	all, err := x.sources.get(func() ([]*source, error) {
		s, err := x.bound()
		if err != nil {
			return nil, err
		}
		forms, err := x.allForms()
		if err != nil {
			return nil, err
		}
		lister, ok := s.(connector.OptionLister)
		var all []*source
		for _, f := range forms {
			for _, name := range sourcesOf(f.form) {
				if !ok {
					return nil, breach("the %s names the source %s, but the connector lists no options", f.name, name)
				}
				one := &source{request: f.request}
				one.request.Source = name
				if one.options, err = x.list(lister, one.request); err != nil {
					return nil, err
				}
				all = append(all, one)
			}
		}
		return all, nil
	})
	return all, see("L-301", err)
}

// sourcesOf are the sources that a form names and that can be asked at once:
// those of fields that depend on others wait for their answers.
func sourcesOf(f connector.Form) []string {
	var names []string
	for _, field := range f.Fields {
		if field.OptionSource != "" && len(field.DependsOn) == 0 {
			names = append(names, field.OptionSource)
		}
	}
	if f.Mapper != nil && f.Mapper.Fields != nil && f.Mapper.Fields.OptionSource != "" {
		names = append(names, f.Mapper.Fields.OptionSource)
	}
	return names
}

// list follows the pages of a source.
func (x *exam) list(lister connector.OptionLister, request connector.OptionsRequest) ([]connector.Option, error) {
	var all []connector.Option
	for range maxPages {
		page, err := ask(x, "Options of "+request.Source, x.options.Patience, func(ctx context.Context) (connector.OptionsPage, error) {
			return lister.Options(ctx, request)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Options...)
		if page.NextPageToken == "" {
			return all, nil
		}
		request.PageToken = page.NextPageToken
	}
	return nil, breach("the source %s has more than %d pages", request.Source, maxPages)
}

func eachSource(check func(*exam, *source) error) func(*exam) error {
	return func(x *exam) error {
		all, err := x.allSources()
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return skip("the forms name no option sources")
		}
		for _, s := range all {
			if err := check(x, s); err != nil {
				return err
			}
		}
		return nil
	}
}

func samePages(x *exam, s *source) error {
	request := s.request
	request.PageSize = max(1, len(s.options)/3)
	got, err := x.list(x.session.value.(connector.OptionLister), request)
	if err != nil {
		return x.trouble("Options", err)
	}
	if !slices.Equal(values(got), values(s.options)) {
		return breach("the source %s lists %d options in pages of %d, and %d otherwise, or others", request.Source, len(got), request.PageSize, len(s.options))
	}
	return nil
}

func values(options []connector.Option) []string {
	var all []string
	for _, o := range options {
		all = append(all, o.Value)
	}
	return all
}

// searches looks for a part of an option's label, in upper case.
func searches(x *exam, s *source) error {
	if len(s.options) == 0 {
		return nil
	}
	o := s.options[len(s.options)/2]
	text := o.Label
	if text == "" {
		text = o.Value
	}
	letters := []rune(text)
	request := s.request
	request.Search = strings.ToUpper(string(letters[:min(len(letters), max(2, len(letters)/2))]))
	var want []string
	for _, o := range s.options {
		if containsFold(o.Value, request.Search) || containsFold(o.Label, request.Search) {
			want = append(want, o.Value)
		}
	}
	got, err := x.list(x.session.value.(connector.OptionLister), request)
	if err != nil {
		return x.trouble("Options", err)
	}
	found := values(got)
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		return breach("a search for %q in the source %s finds %d options, not the %d that contain it", request.Search, request.Source, len(found), len(want))
	}
	return nil
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func unknownSource(x *exam) error {
	if err := x.feature(connector.FeatureFormOptions); err != nil {
		return err
	}
	s, err := x.bound()
	if err != nil {
		return err
	}
	lister, ok := s.(connector.OptionLister)
	if !ok {
		return see("L-012", breach(""))
	}
	m, err := x.manifest()
	if err != nil {
		return err
	}
	request := connector.OptionsRequest{Source: noSuch, Direction: connector.DirectionInbound}
	if len(m.Strategies) > 0 {
		request.Direction, request.Strategy = connector.DirectionOutbound, m.Strategies[0].Name
	}
	_, err = ask(x, "Options of an unknown source", x.options.Patience, func(ctx context.Context) (connector.OptionsPage, error) {
		return lister.Options(ctx, request)
	})
	return wants(x, connector.ClassConfig, "an unknown option source", err)
}
