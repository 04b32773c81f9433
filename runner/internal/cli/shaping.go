package cli

import (
	"maps"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

// shapes shapes all elements of a list; an empty list stays a list.
func shapes[T, S any](all []T, shape func(T) S) []S {
	shaped := make([]S, 0, len(all))
	for _, one := range all {
		shaped = append(shaped, shape(one))
	}
	return shaped
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func connectorShape(r runner.ConnectorRef) ConnectorShape {
	return ConnectorShape{ID: r.ID, Version: r.Version, Path: r.Path, SHA256: r.SHA256, AddedAt: at(r.AddedAt)}
}

func manifestShape(m connector.Manifest) ManifestShape {
	return ManifestShape{
		ID: m.ID, Name: m.Name, Version: m.Version, DocumentationURL: m.DocumentationURL, Inbound: m.Inbound,
		Features:   append([]connector.Feature{}, m.Features...),
		Strategies: shapes(m.Strategies, func(s connector.Strategy) StrategyShape { return StrategyShape(s) }),
	}
}

func connectionShape(c runner.Connection) ConnectionShape {
	return ConnectionShape{
		Name: c.Name, Connector: c.Connector, Method: c.Method, Account: c.Account, Answers: c.Answers, Parameters: c.Parameters,
		Secrets: slices.Sorted(maps.Keys(c.Secrets)), Overrides: config.WrittenConnection(c).Limits,
		CreatedAt: at(c.CreatedAt), TestedAt: at(c.TestedAt),
	}
}

func addressShape(a connector.NetworkAddress) AddressShape {
	if a.Scheme == "" {
		a.Scheme = "https"
	}
	return AddressShape(a)
}

func streamShape(s connector.Stream) StreamShape {
	return StreamShape{
		Name: s.Name, Label: s.Label, Description: s.Description, Key: s.Key, Cursor: s.Cursor, Modes: s.Modes,
		Tombstones: s.Tombstones, Schema: s.Schema,
	}
}

func syncShape(s runner.Sync) SyncShape {
	return SyncShape{Name: s.Name, Sync: config.WrittenSync(s), CreatedAt: at(s.CreatedAt)}
}

func runShape(r runner.Run) RunShape {
	shape := RunShape{
		ID: r.ID, Sync: r.Sync, Direction: r.Direction, State: r.State, StartedAt: at(r.StartedAt), FinishedAt: at(r.FinishedAt),
		Deadline: at(r.Deadline), Records: r.Records, Outcomes: r.Outcomes, Batches: r.Batches, Tickets: r.Tickets,
		Error: errorShape(r.Error), Stderr: r.Stderr,
	}
	for _, s := range r.Streams {
		shape.Streams = append(shape.Streams, StreamResultShape{
			Stream: s.Stream, Table: s.Table, Rows: s.Counts.Rows, Deleted: s.Counts.Deleted, Unparsed: s.Counts.Unparsed,
			Done: s.Done, Error: errorShape(s.Error),
		})
	}
	for _, u := range r.Usage {
		shape.Usage = append(shape.Usage, UsageShape{Category: u.Category, Requests: u.Requests, Pool: u.Pool, Units: u.Units})
	}
	for stage, took := range r.Timings {
		if shape.Timings == nil {
			shape.Timings = map[string]float64{}
		}
		shape.Timings[stage] = took.Seconds()
	}
	return shape
}

func errorShape(e *connector.Error) *ErrorShape {
	if e == nil {
		return nil
	}
	shape := &ErrorShape{Class: e.Class, Code: e.Code, Message: e.Message, ResetAt: at(e.ResetAt)}
	for _, f := range e.Fields {
		shape.Fields = append(shape.Fields, FieldShape(f))
	}
	for _, h := range e.Help {
		shape.Help = append(shape.Help, HelpShape(h))
	}
	return shape
}

func recordShape(o runner.RecordOutcome) RecordShape {
	return RecordShape{
		Seq: o.Seq, Identifier: o.Identifier, AppIdentifier: o.AppIdentifier, Action: o.Action, Status: o.Status,
		Class: o.Class, Code: o.Code, Field: o.Field, Message: o.Message, Detail: o.Detail, At: at(o.At),
	}
}

func stateShape(r runner.RecordState) RecordStateShape {
	return RecordStateShape{
		Identifier: r.Identifier, AppIdentifier: r.AppIdentifier, Synced: r.Synced, Action: r.Action, Outcome: r.Status, Class: r.Class,
		Code: r.Code, Field: r.Field, Message: r.Message, Attempts: r.Attempts, Run: r.RunID, At: at(r.At), Mark: r.Mark,
	}
}

func planShape(p runner.Plan) PlanShape {
	r := p.Report
	return PlanShape{
		SourceRows: r.SourceRows, Records: r.Records, Unchanged: r.Unchanged, Skipped: r.Skipped, HeldBack: r.HeldBack,
		Actions:   shapes(r.Actions, func(a runner.ActionCount) ActionShape { return ActionShape(a) }),
		Samples:   shapes(r.Samples, func(s runner.Sample) SampleShape { return sampleShape(r.Schema, s) }),
		Checked:   p.Checked,
		Validated: p.Validated,
		Findings: shapes(p.Findings, func(f runner.Finding) FindingShape {
			return FindingShape{Identifier: f.Identifier, Action: f.Action, Error: errorShape(f.Error)}
		}),
		Paths: shapes(p.Paths, func(p connector.OutboundPath) PathShape {
			costs := shapes(p.Costs, func(c connector.PathCost) PathCostShape { return PathCostShape(c) })
			return PathShape{Name: p.Name, Label: p.Label, Chosen: p.Chosen, Reason: p.Reason, Costs: costs}
		}),
		Costs: shapes(p.Costs, func(c runner.CostEstimate) CostShape { return CostShape(c) }),
		Left:  shapes(p.Left, poolShape),
	}
}

func sampleShape(schema *connector.Schema, s runner.Sample) SampleShape {
	shape := SampleShape{Identifier: s.Identifier, Action: s.Action, Values: map[string]string{}}
	for i, value := range s.Values {
		if schema != nil && i < len(schema.Columns) && !(i < len(s.Null) && s.Null[i]) {
			shape.Values[schema.Columns[i].Name] = value
		}
	}
	return shape
}

func poolShape(l runner.PoolLeft) PoolShape {
	shape := PoolShape{Name: l.Pool.Name, Capacity: l.Pool.Capacity, WindowSeconds: l.Pool.Window.Seconds(), Left: l.Left}
	if l.Bound {
		shape.Said = &l.Said
	}
	return shape
}

func questionShape(f connector.Field) QuestionShape {
	return QuestionShape{
		Name: f.Name, Kind: string(f.Kind), Label: f.Label, Help: f.Help, Default: f.Default, Required: f.Required,
		Secret: f.Secret, Multiple: f.Multiple, Options: shapes(f.Options, optionShape),
	}
}

func optionShape(o connector.Option) OptionShape {
	shape := OptionShape{Value: o.Value, Label: o.Label, Type: o.TypeIcon, Required: o.Required, Unique: o.Unique}
	if o.Disabled {
		shape.Disabled = "disabled"
		if o.DisabledReason != "" {
			shape.Disabled = o.DisabledReason
		}
	}
	return shape
}
