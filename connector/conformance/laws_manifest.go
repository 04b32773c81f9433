package conformance

import (
	"context"
	"net/url"
	"reflect"
	"regexp"

	"github.com/sluiceio/sluice/connector"
)

var manifestLaws = []Law{
	{"L-001", AreaManifest, "Manifest answers, and the same at every call and in every process.", stableManifest},
	{"L-002", AreaManifest, `The id has 1 to 64 bytes of a-z, 0-9 and "-", beginning with a letter.`, manifestLaw(func(m connector.Manifest) error {
		return matches(`[a-z][a-z0-9-]{0,63}`, "the id", m.ID)
	})},
	{"L-003", AreaManifest, "The connector has a name for people.", manifestLaw(func(m connector.Manifest) error {
		return matches(`(?s)\S.*`, "the name", m.Name)
	})},
	{"L-004", AreaManifest, "The version is a semantic version 2.0 without a leading v.", manifestLaw(func(m connector.Manifest) error {
		return matches(semver, "the version", m.Version)
	})},
	{"L-005", AreaManifest, "The documentation URL, where there is one, is an https URL.", manifestLaw(httpsManual)},
	{"L-006", AreaManifest, "The icon, where there is one, is an SVG or PNG image of at most 64 KiB.", manifestLaw(goodIcon)},
	{"L-007", AreaManifest, "Strategies have unique names and at least one slot each.", manifestLaw(goodStrategies)},
	{"L-008", AreaManifest, "Target types have unique names.", manifestLaw(func(m connector.Manifest) error {
		return unique("target types", m.TargetTypes, func(t connector.TargetType) string { return t.Name })
	})},
	{"L-009", AreaManifest, "The connector writes (it lists strategies), or reads (inbound is true), or both.", manifestLaw(func(m connector.Manifest) error {
		if len(m.Strategies) == 0 && !m.Inbound {
			return breach("there are no strategies and inbound is false")
		}
		return nil
	})},
	{"L-010", AreaManifest, "Dates and times are rendered in a way that the contract has.", manifestLaw(knownRendering)},
	{"L-011", AreaManifest, "Features are listed once.", manifestLaw(func(m connector.Manifest) error {
		return unique("features", m.Features, func(f connector.Feature) string { return string(f) })
	})},
	{"L-012", AreaManifest, "What the manifest announces is there: each direction has its form, each feature its call.", announced},
	{"L-013", AreaManifest, "Manifest, ConnectionForm and NetworkAddresses answer at once: they use no network.", promptFacts},
}

// semver is the expression that semver.org suggests, its parts unnamed.
const semver = `(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(\+([0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*))?`

// maxIcon is the most bytes an icon may have.
const maxIcon = 64 << 10

func manifestLaw(check func(connector.Manifest) error) func(*exam) error {
	return func(x *exam) error {
		m, err := x.manifest()
		if err != nil {
			return err
		}
		return check(m)
	}
}

func matches(pattern, what, text string) error {
	if !regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(text) {
		return breach("%s is %q", what, text)
	}
	return nil
}

// unique says which name is missing or occurs twice.
func unique[T any](what string, all []T, name func(T) string) error {
	seen := map[string]bool{}
	for i, one := range all {
		n := name(one)
		if n == "" {
			return breach("%s: number %d has no name", what, i+1)
		}
		if seen[n] {
			return breach("%s: %q occurs twice", what, n)
		}
		seen[n] = true
	}
	return nil
}

func stableManifest(x *exam) error {
	if _, err := x.shared(); err != nil {
		return err
	}
	first, err := x.manifest()
	if err != nil {
		return x.trouble("Manifest", x.facts.err)
	}
	another, err := x.open()
	if err != nil {
		return err
	}
	for _, c := range []connector.Connector{x.base.value, another} {
		m, err := ask(x, "Manifest", x.options.Patience, c.Manifest)
		if err != nil {
			return x.trouble("Manifest", err)
		}
		if !reflect.DeepEqual(m, first) {
			return breach("two calls of Manifest gave different answers")
		}
	}
	return nil
}

func httpsManual(m connector.Manifest) error {
	if m.DocumentationURL == "" {
		return nil
	}
	if u, err := url.Parse(m.DocumentationURL); err != nil || u.Scheme != "https" || u.Host == "" {
		return breach("the documentation URL is %q", m.DocumentationURL)
	}
	return nil
}

func goodIcon(m connector.Manifest) error {
	if len(m.Icon.Data) == 0 && m.Icon.MediaType == "" {
		return nil
	}
	looks := map[string]string{"image/svg+xml": `(?s).*<svg.*`, "image/png": "(?s)\x89PNG.*"}[m.Icon.MediaType]
	switch {
	case looks == "":
		return breach("the icon's media type is %q", m.Icon.MediaType)
	case len(m.Icon.Data) > maxIcon:
		return breach("the icon has %d bytes, more than %d", len(m.Icon.Data), maxIcon)
	case m.Icon.MediaType == "image/png" && string(m.Icon.Data[:min(4, len(m.Icon.Data))]) != "\x89PNG",
		m.Icon.MediaType != "image/png" && !regexp.MustCompile(looks).Match(m.Icon.Data):
		return breach("the icon is not an %s image", m.Icon.MediaType)
	}
	return nil
}

func goodStrategies(m connector.Manifest) error {
	for _, s := range m.Strategies {
		if s.New == "" && s.Changed == "" && s.Removed == "" && s.Unchanged == "" {
			return breach("the strategy %q names no action", s.Name)
		}
	}
	return unique("strategies", m.Strategies, func(s connector.Strategy) string { return s.Name })
}

func knownRendering(m connector.Manifest) error {
	switch m.Rendering.Timestamp {
	case "", connector.TimestampISO8601, connector.TimestampEpochSeconds, connector.TimestampEpochMillis:
	default:
		return breach("timestamps are rendered as %q", m.Rendering.Timestamp)
	}
	switch m.Rendering.Date {
	case "", connector.DateISO8601, connector.DateUS:
		return nil
	}
	return breach("dates are rendered as %q", m.Rendering.Date)
}

// lacks reports whether an error says that the connector does not have a call.
func lacks(err error) bool { return errorCode(err) == "UNIMPLEMENTED" }

// announced makes the calls that the manifest promises, and looks only at
// whether they are there.
func announced(x *exam) error {
	m, err := x.manifest()
	if err != nil {
		return err
	}
	s, err := x.bound()
	if err != nil {
		return err
	}
	has := func(f connector.Feature) bool { return x.feature(f) == nil }
	for _, p := range []struct {
		needed bool
		what   string
		call   func(context.Context) (bool, error)
	}{
		{len(m.Strategies) > 0, "OutboundForm", func(ctx context.Context) (bool, error) {
			o, ok := s.(connector.Outbound)
			if !ok {
				return false, nil
			}
			_, err := o.OutboundForm(ctx, connector.FormRequest{Strategy: m.Strategies[0].Name})
			return !lacks(err), nil
		}},
		{m.Inbound, "InboundForm", func(ctx context.Context) (bool, error) {
			i, ok := s.(connector.Inbound)
			if !ok {
				return false, nil
			}
			_, err := i.InboundForm(ctx, connector.FormRequest{})
			return !lacks(err), nil
		}},
		{has(connector.FeatureFormOptions), "Options", func(ctx context.Context) (bool, error) {
			l, ok := s.(connector.OptionLister)
			if !ok {
				return false, nil
			}
			_, err := l.Options(ctx, connector.OptionsRequest{Source: noSuch, Direction: connector.DirectionInbound})
			return !lacks(err), nil
		}},
		{has(connector.FeatureValidateRecords), "ValidateRecords", func(context.Context) (bool, error) {
			_, ok := s.(connector.RecordValidator)
			return ok, nil
		}},
		{has(connector.FeatureOutboundCosts), "OutboundCosts", func(context.Context) (bool, error) {
			_, ok := s.(connector.CostEstimator)
			return ok, nil
		}},
	} {
		if !p.needed {
			continue
		}
		there, err := ask(x, p.what, x.options.Patience, p.call)
		if err != nil {
			return x.trouble(p.what, err)
		}
		if !there {
			return breach("the manifest promises %s, but the connector does not have it", p.what)
		}
	}
	return nil
}

// promptFacts measures the calls that may not use the network.
func promptFacts(x *exam) error {
	c, err := x.shared()
	if err != nil {
		return skip("the connector could not be opened")
	}
	given := x.subject.Connection
	given.Secrets = nil
	for _, p := range []struct {
		what string
		call func(context.Context) (struct{}, error)
	}{
		{"Manifest", func(ctx context.Context) (struct{}, error) { _, err := c.Manifest(ctx); return struct{}{}, err }},
		{"ConnectionForm", func(ctx context.Context) (struct{}, error) {
			_, err := c.ConnectionForm(ctx, given.Answers)
			return struct{}{}, err
		}},
		{"NetworkAddresses", func(ctx context.Context) (struct{}, error) {
			if given.Method == "" {
				return struct{}{}, nil
			}
			_, err := c.NetworkAddresses(ctx, given)
			return struct{}{}, err
		}},
	} {
		if _, err := ask(x, p.what, x.options.Prompt, p.call); err != nil {
			if o, ok := err.(*overdueError); ok {
				return breach("%v", o)
			}
		}
	}
	return nil
}
