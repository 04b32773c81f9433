package wire

import (
	"net/url"
	"regexp"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

const maxIcon = 64 << 10

var (
	idPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
	// semver is the pattern of https://semver.org/spec/v2.0.0.html, loosened in
	// the identifiers.
	semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

var features = newEnum(map[connector.Feature]connectorv1.Feature{
	connector.FeatureTickets:         connectorv1.Feature_FEATURE_TICKETS,
	connector.FeatureValidateRecords: connectorv1.Feature_FEATURE_VALIDATE_RECORDS,
	connector.FeatureFormOptions:     connectorv1.Feature_FEATURE_FORM_OPTIONS,
	connector.FeatureGrants:          connectorv1.Feature_FEATURE_GRANTS,
	connector.FeatureTombstones:      connectorv1.Feature_FEATURE_TOMBSTONES,
	connector.FeatureOutboundCosts:   connectorv1.Feature_FEATURE_OUTBOUND_COSTS,
})

var timestampFormats = newEnum(map[connector.TimestampFormat]connectorv1.TimestampFormat{
	connector.TimestampISO8601:      connectorv1.TimestampFormat_TIMESTAMP_FORMAT_ISO_8601,
	connector.TimestampEpochSeconds: connectorv1.TimestampFormat_TIMESTAMP_FORMAT_EPOCH_SECONDS,
	connector.TimestampEpochMillis:  connectorv1.TimestampFormat_TIMESTAMP_FORMAT_EPOCH_MILLIS,
})

var dateFormats = newEnum(map[connector.DateFormat]connectorv1.DateFormat{
	connector.DateISO8601: connectorv1.DateFormat_DATE_FORMAT_ISO_8601,
	connector.DateUS:      connectorv1.DateFormat_DATE_FORMAT_US,
})

// Manifest makes a manifest.
func Manifest(m connector.Manifest) (*connectorv1.Manifest, error) {
	feats, err1 := list("features", m.Features, func(f connector.Feature) (connectorv1.Feature, error) {
		return features.out("feature", f)
	})
	strategies, err2 := list("strategies", m.Strategies, Strategy)
	targets, err3 := list("target_types", m.TargetTypes, targetType)
	rendering, err4 := rendering(m.Rendering)
	return &connectorv1.Manifest{
		Id: m.ID, Name: m.Name, Version: m.Version, DocumentationUrl: m.DocumentationURL, Icon: icon(m.Icon),
		Features: feats, Strategies: strategies, Inbound: m.Inbound, TargetTypes: targets, Rendering: rendering,
	}, first(err1, err2, err3, err4, checkManifest(m))
}

// ManifestFrom reads a manifest. Features that are not known are left out.
func ManifestFrom(m *connectorv1.Manifest) (connector.Manifest, error) {
	if m == nil {
		return connector.Manifest{}, broken("manifest", "is required")
	}
	strategies, err1 := list("strategies", m.Strategies, StrategyFrom)
	targets, err2 := list("target_types", m.TargetTypes, targetTypeFrom)
	rendering, err3 := renderingFrom(m.Rendering)
	out := connector.Manifest{
		ID: m.Id, Name: m.Name, Version: m.Version, DocumentationURL: m.DocumentationUrl,
		Icon:       connector.Icon{MediaType: m.GetIcon().GetMediaType(), Data: m.GetIcon().GetData()},
		Strategies: strategies, Inbound: m.Inbound, TargetTypes: targets, Rendering: rendering,
	}
	for _, f := range m.Features {
		if word, known := features.word[f]; known {
			out.Features = append(out.Features, word)
		}
	}
	return out, first(err1, err2, err3, checkManifest(out))
}

func checkManifest(m connector.Manifest) error {
	if !idPattern.MatchString(m.ID) {
		return broken("id", "must be 1 to 64 bytes of a-z, 0-9 and -, beginning with a letter")
	}
	if !semver.MatchString(m.Version) {
		return broken("version", "must be a semantic version such as 1.2.3")
	}
	if u, err := url.Parse(m.DocumentationURL); m.DocumentationURL != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return broken("documentation_url", "must be an https URL")
	}
	return first(required("name", m.Name), checkIcon(m.Icon),
		unique("strategies", "name", m.Strategies, func(s connector.Strategy) string { return s.Name }),
		unique("target_types", "name", m.TargetTypes, func(t connector.TargetType) string { return t.Name }))
}

func icon(i connector.Icon) *connectorv1.Icon {
	if i.MediaType == "" && len(i.Data) == 0 {
		return nil
	}
	return &connectorv1.Icon{MediaType: i.MediaType, Data: i.Data}
}

func checkIcon(i connector.Icon) error {
	switch {
	case i.MediaType == "" && len(i.Data) == 0:
		return nil
	case i.MediaType != "image/svg+xml" && i.MediaType != "image/png":
		return broken("icon.media_type", "must be image/svg+xml or image/png")
	case len(i.Data) == 0:
		return broken("icon.data", "is required")
	case len(i.Data) > maxIcon:
		return broken("icon.data", "exceeds %d bytes", maxIcon)
	}
	return nil
}

// Strategy makes a strategy.
func Strategy(s connector.Strategy) (*connectorv1.Strategy, error) {
	return &connectorv1.Strategy{
		Name: s.Name, Label: s.Label, Description: s.Description,
		OnNew: string(s.New), OnChanged: string(s.Changed), OnRemoved: string(s.Removed), OnUnchanged: string(s.Unchanged),
	}, checkStrategy(s)
}

// StrategyFrom reads a strategy.
func StrategyFrom(s *connectorv1.Strategy) (connector.Strategy, error) {
	out := connector.Strategy{
		Name: s.GetName(), Label: s.GetLabel(), Description: s.GetDescription(),
		New: connector.Action(s.GetOnNew()), Changed: connector.Action(s.GetOnChanged()),
		Removed: connector.Action(s.GetOnRemoved()), Unchanged: connector.Action(s.GetOnUnchanged()),
	}
	return out, checkStrategy(out)
}

func checkStrategy(s connector.Strategy) error {
	if s.New == "" && s.Changed == "" && s.Removed == "" && s.Unchanged == "" {
		return first(required("name", s.Name), broken("on_new", "or another slot must be set"))
	}
	return required("name", s.Name)
}

func targetType(t connector.TargetType) (*connectorv1.TargetType, error) {
	return &connectorv1.TargetType{Name: t.Name, Label: t.Label}, required("name", t.Name)
}

func targetTypeFrom(t *connectorv1.TargetType) (connector.TargetType, error) {
	return connector.TargetType{Name: t.GetName(), Label: t.GetLabel()}, required("name", t.GetName())
}

func rendering(r connector.Rendering) (*connectorv1.Rendering, error) {
	if r == (connector.Rendering{}) {
		return nil, nil
	}
	timestamp, err1 := timestampFormats.outOr("rendering.timestamp", r.Timestamp, connectorv1.TimestampFormat_TIMESTAMP_FORMAT_UNSPECIFIED)
	date, err2 := dateFormats.outOr("rendering.date", r.Date, connectorv1.DateFormat_DATE_FORMAT_UNSPECIFIED)
	return &connectorv1.Rendering{Timestamp: timestamp, Date: date}, first(err1, err2)
}

func renderingFrom(r *connectorv1.Rendering) (connector.Rendering, error) {
	timestamp, err1 := timestampFormats.inOr("rendering.timestamp", r.GetTimestamp(), "")
	date, err2 := dateFormats.inOr("rendering.date", r.GetDate(), "")
	return connector.Rendering{Timestamp: timestamp, Date: date}, first(err1, err2)
}
