package wire

import (
	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

const maxPage = 10_000

var directions = newEnum(map[connector.Direction]connectorv1.Direction{
	connector.DirectionOutbound: connectorv1.Direction_DIRECTION_OUTBOUND,
	connector.DirectionInbound:  connectorv1.Direction_DIRECTION_INBOUND,
})

// OutboundFormRequest asks for an outbound form.
func OutboundFormRequest(c *connectorv1.Connection, r connector.FormRequest) (*connectorv1.OutboundConfigurationFormRequest, error) {
	answers, err := Answers("answers", r.Answers)
	return &connectorv1.OutboundConfigurationFormRequest{Connection: c, Strategy: r.Strategy, Answers: answers},
		first(err, required("strategy", r.Strategy))
}

// OutboundFormRequestFrom reads the request for an outbound form.
func OutboundFormRequestFrom(r *connectorv1.OutboundConfigurationFormRequest) (connector.FormRequest, error) {
	answers, err := AnswersFrom("answers", r.GetAnswers())
	return connector.FormRequest{Strategy: r.GetStrategy(), Answers: answers}, first(err, required("strategy", r.GetStrategy()))
}

// InboundFormRequest asks for an inbound form.
func InboundFormRequest(c *connectorv1.Connection, r connector.FormRequest) (*connectorv1.InboundConfigurationFormRequest, error) {
	answers, err := Answers("answers", r.Answers)
	if r.Strategy != "" {
		err = broken("strategy", "is only for outbound forms")
	}
	return &connectorv1.InboundConfigurationFormRequest{Connection: c, Answers: answers}, err
}

// InboundFormRequestFrom reads the request for an inbound form.
func InboundFormRequestFrom(r *connectorv1.InboundConfigurationFormRequest) (connector.FormRequest, error) {
	answers, err := AnswersFrom("answers", r.GetAnswers())
	return connector.FormRequest{Answers: answers}, err
}

// InboundForm makes an inbound form, which has no mapper.
func InboundForm(f connector.Form) (*connectorv1.Form, error) {
	out, err := Form(f)
	return out, first(err, noMapper(f))
}

// InboundFormFrom reads an inbound form.
func InboundFormFrom(f *connectorv1.Form) (connector.Form, error) {
	out, err := FormFrom(f)
	return out, first(err, noMapper(out))
}

func noMapper(f connector.Form) error {
	if f.Mapper != nil {
		return broken("mapper", "is only for outbound forms")
	}
	return nil
}

// OptionsRequest asks for a page of options.
func OptionsRequest(c *connectorv1.Connection, r connector.OptionsRequest) (*connectorv1.FormOptionsRequest, error) {
	direction, err1 := directions.out("direction", r.Direction)
	answers, err2 := Answers("answers", r.Answers)
	return &connectorv1.FormOptionsRequest{
		Connection: c, Source: r.Source, Direction: direction, Strategy: r.Strategy, Answers: answers,
		Search: r.Search, PageToken: r.PageToken, PageSize: int32(r.PageSize),
	}, first(err1, err2, checkOptionsRequest(r))
}

// OptionsRequestFrom reads the request for a page of options.
func OptionsRequestFrom(r *connectorv1.FormOptionsRequest) (connector.OptionsRequest, error) {
	direction, err1 := directions.in("direction", r.GetDirection())
	answers, err2 := AnswersFrom("answers", r.GetAnswers())
	out := connector.OptionsRequest{
		Source: r.GetSource(), Direction: direction, Strategy: r.GetStrategy(), Answers: answers,
		Search: r.GetSearch(), PageToken: r.GetPageToken(), PageSize: int(r.GetPageSize()),
	}
	return out, first(err1, err2, checkOptionsRequest(out))
}

func checkOptionsRequest(r connector.OptionsRequest) error {
	switch {
	case r.PageSize < 0 || r.PageSize > maxPage:
		return broken("page_size", "must be 0 to %d", maxPage)
	case r.Direction == connector.DirectionInbound && r.Strategy != "":
		return broken("strategy", "is only for outbound forms")
	}
	return required("source", r.Source)
}

// OptionsPage makes a page of options.
func OptionsPage(p connector.OptionsPage) (*connectorv1.FormOptionsResponse, error) {
	options, err := list("options", p.Options, Option)
	return &connectorv1.FormOptionsResponse{Options: options, NextPageToken: p.NextPageToken}, first(err, checkOptions(p.Options))
}

// OptionsPageFrom reads a page of options.
func OptionsPageFrom(p *connectorv1.FormOptionsResponse) (connector.OptionsPage, error) {
	options, err := list("options", p.GetOptions(), OptionFrom)
	return connector.OptionsPage{Options: options, NextPageToken: p.GetNextPageToken()}, first(err, checkOptions(options))
}

func checkOptions(all []connector.Option) error {
	return unique("options", "value", all, func(o connector.Option) string { return o.Value })
}
