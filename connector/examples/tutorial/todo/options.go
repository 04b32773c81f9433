package todo

import (
	"context"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// Options lists the choices of a named source.
func (s *session) Options(_ context.Context, request connector.OptionsRequest) (connector.OptionsPage, error) {
	if request.Source != "fields" {
		return connector.OptionsPage{}, connector.Errorf(connector.ClassConfig, "UNKNOWN_SOURCE", "there is no option source %q", request.Source)
	}
	var page connector.OptionsPage
	for _, o := range taskFields {
		if contains(o.Value, request.Search) || contains(o.Label, request.Search) {
			page.Options = append(page.Options, o)
		}
	}
	return page, nil
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
