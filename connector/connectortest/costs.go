package connectortest

import (
	"context"

	"github.com/sluiceio/sluice/connector"
)

// OutboundCosts prices single calls, one for each guest, and sheets of ten.
func (s *session) OutboundCosts(_ context.Context, _ connector.OutboundSync, counts []connector.ActionCount) ([]connector.OutboundPath, error) {
	var guests int64
	for _, c := range counts {
		guests += c.Records
	}
	pool := "ink"
	if s.broken("L-524") {
		pool = "blood"
	}
	sheets := (guests + 9) / 10
	return []connector.OutboundPath{
		{Name: "sheets", Chosen: true, Costs: []connector.PathCost{{Category: "write", Requests: sheets, Pool: pool, Units: sheets}}},
		{Name: "single", Reason: "Takes more ink.", Costs: []connector.PathCost{{Category: "write", Requests: guests, Pool: pool, Units: guests}}},
	}, nil
}
