package runner

import (
	"context"
	"errors"

	"github.com/sluiceio/sluice/connector"
)

// PlanOptions adjusts [Engine.Plan].
type PlanOptions struct {
	// Samples is the number of sample records wanted for each action; 0 means 3,
	// a negative number none.
	Samples int
	// Limit bounds the number of records, as in a run with the same limit; 0 for all.
	Limit int64
	// Resync plans every record of the source again.
	Resync bool
}

// Plan is what a run would do, found without sending anything.
type Plan struct {
	// Report is what the warehouse found.
	Report PlanReport
	// Findings are what the connector would refuse among the samples; empty
	// also when the connector does not validate.
	Findings []Finding
	// Validated says whether the connector looked at the samples.
	Validated bool
	// Costs estimate what the run would take from pools, one line for each way
	// of writing the connector may choose, or one from the latest runs.
	Costs []CostEstimate
	// Left is what may still be spent of each pool of the connection.
	Left []PoolLeft
}

// Finding is a sample the connector would not send.
type Finding struct {
	Identifier string
	Action     connector.Action
	Status     connector.Status
	Error      *connector.Error
}

// CostEstimate is what a run would take from a pool.
type CostEstimate struct {
	// Category is the limit drawn upon; empty for an estimate from earlier runs.
	Category string
	Pool     string
	Units    int64
	// Basis says in words what the figure rests on.
	Basis string
}

// PoolLeft is a pool of a connection and what is left of it now.
type PoolLeft struct {
	Pool connector.Pool
	Left int64
}

// Plan shows what a run of an outbound sync would do. It writes nothing. A
// source that cannot be planned is a [PlanError].
func (e *Engine) Plan(ctx context.Context, syncName string, options PlanOptions) (Plan, error) {
	return Plan{}, errors.ErrUnsupported
}
