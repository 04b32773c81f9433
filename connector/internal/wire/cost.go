package wire

import (
	"fmt"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// ActionCounts makes the numbers of records by action.
func ActionCounts(counts []connector.ActionCount) ([]*connectorv1.ActionCount, error) {
	out, _ := list("counts", counts, func(c connector.ActionCount) (*connectorv1.ActionCount, error) {
		return &connectorv1.ActionCount{Action: string(c.Action), Records: c.Records}, nil
	})
	return out, checkActionCounts(counts)
}

// ActionCountsFrom reads the numbers of records by action.
func ActionCountsFrom(counts []*connectorv1.ActionCount) ([]connector.ActionCount, error) {
	out, _ := list("counts", counts, func(c *connectorv1.ActionCount) (connector.ActionCount, error) {
		return connector.ActionCount{Action: connector.Action(c.GetAction()), Records: c.GetRecords()}, nil
	})
	return out, checkActionCounts(out)
}

func checkActionCounts(counts []connector.ActionCount) error {
	if len(counts) == 0 {
		return broken("counts", "is required")
	}
	for i, c := range counts {
		if err := first(required("action", string(c.Action)), positive("records", c.Records)); err != nil {
			return within(fmt.Sprintf("counts[%d]", i), err)
		}
	}
	return unique("counts", "action", counts, func(c connector.ActionCount) string { return string(c.Action) })
}

// OutboundPaths makes the answer of OutboundCosts.
func OutboundPaths(paths []connector.OutboundPath) (*connectorv1.OutboundCostsResponse, error) {
	out, err := list("paths", paths, outboundPath)
	return &connectorv1.OutboundCostsResponse{Paths: out}, first(err, checkOutboundPaths(paths))
}

// OutboundPathsFrom reads the answer of OutboundCosts.
func OutboundPathsFrom(r *connectorv1.OutboundCostsResponse) ([]connector.OutboundPath, error) {
	out, err := list("paths", r.GetPaths(), outboundPathFrom)
	return out, first(err, checkOutboundPaths(out))
}

func checkOutboundPaths(paths []connector.OutboundPath) error {
	chosen := 0
	for i, p := range paths {
		if p.Chosen {
			chosen++
		}
		if chosen > 1 {
			return broken(fmt.Sprintf("paths[%d].chosen", i), "is true for a second path")
		}
	}
	return unique("paths", "name", paths, func(p connector.OutboundPath) string { return p.Name })
}

func outboundPath(p connector.OutboundPath) (*connectorv1.OutboundPath, error) {
	costs, _ := list("costs", p.Costs, func(c connector.PathCost) (*connectorv1.PathCost, error) {
		return &connectorv1.PathCost{Category: c.Category, Requests: c.Requests, Pool: c.Pool, Units: c.Units}, nil
	})
	return &connectorv1.OutboundPath{Name: p.Name, Label: p.Label, Chosen: p.Chosen, Reason: p.Reason, Costs: costs}, checkOutboundPath(p)
}

func outboundPathFrom(p *connectorv1.OutboundPath) (connector.OutboundPath, error) {
	costs, _ := list("costs", p.GetCosts(), func(c *connectorv1.PathCost) (connector.PathCost, error) {
		return connector.PathCost{Category: c.GetCategory(), Requests: c.GetRequests(), Pool: c.GetPool(), Units: c.GetUnits()}, nil
	})
	out := connector.OutboundPath{Name: p.GetName(), Label: p.GetLabel(), Chosen: p.GetChosen(), Reason: p.GetReason(), Costs: costs}
	return out, checkOutboundPath(out)
}

func checkOutboundPath(p connector.OutboundPath) error {
	for i, c := range p.Costs {
		err := first(required("category", c.Category), positive("requests", c.Requests), notNegative("units", c.Units))
		if err == nil && (c.Pool == "") != (c.Units == 0) {
			err = broken("units", "must be set with pool, and only then")
		}
		if err != nil {
			return within(fmt.Sprintf("costs[%d]", i), err)
		}
	}
	return first(required("name", p.Name), unique("costs", "category", p.Costs, func(c connector.PathCost) string { return c.Category }))
}
