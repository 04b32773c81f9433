package wire

import (
	"fmt"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var statuses = newEnum(map[connector.Status]connectorv1.OutcomeStatus{
	connector.StatusSucceeded: connectorv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED,
	connector.StatusRejected:  connectorv1.OutcomeStatus_OUTCOME_STATUS_REJECTED,
	connector.StatusRetry:     connectorv1.OutcomeStatus_OUTCOME_STATUS_RETRY,
	connector.StatusDelayed:   connectorv1.OutcomeStatus_OUTCOME_STATUS_DELAYED,
	connector.StatusInvalid:   connectorv1.OutcomeStatus_OUTCOME_STATUS_INVALID,
	connector.StatusInDoubt:   connectorv1.OutcomeStatus_OUTCOME_STATUS_IN_DOUBT,
	connector.StatusSkipped:   connectorv1.OutcomeStatus_OUTCOME_STATUS_SKIPPED,
})

// Outcomes makes outcomes. It shares the slices that have one entry per record.
func Outcomes(o connector.Outcomes) (*connectorv1.Outcomes, error) {
	if err := checkOutcomes(o); err != nil {
		return nil, err
	}
	exceptions, err := list("exceptions", o.Exceptions, RowOutcome)
	return &connectorv1.Outcomes{Seqs: o.Seqs, AppIdentifiers: o.AppIdentifiers, Exceptions: exceptions}, err
}

// OutcomesFrom reads outcomes, sharing slices likewise.
func OutcomesFrom(o *connectorv1.Outcomes) (connector.Outcomes, error) {
	exceptions, err := list("exceptions", o.GetExceptions(), RowOutcomeFrom)
	out := connector.Outcomes{Seqs: o.GetSeqs(), AppIdentifiers: o.GetAppIdentifiers(), Exceptions: exceptions}
	return out, first(err, checkOutcomes(out))
}

func checkOutcomes(o connector.Outcomes) error {
	if len(o.Seqs) == 0 {
		return broken("seqs", "is required")
	}
	if n := len(o.AppIdentifiers); n != 0 && n != len(o.Seqs) {
		return broken("app_identifiers", "has %d entries for %d records", n, len(o.Seqs))
	}
	return CheckRows("exceptions", o.Exceptions, len(o.Seqs))
}

// CheckRows checks that row outcomes ascend and stay within a number of rows.
func CheckRows(field string, all []connector.RowOutcome, rows int) error {
	for i, o := range all {
		switch {
		case o.Row < 0 || o.Row >= rows:
			return broken(fmt.Sprintf("%s[%d].row", field, i), "is beyond the %d records", rows)
		case i > 0 && all[i-1].Row >= o.Row:
			return broken(fmt.Sprintf("%s[%d].row", field, i), "does not ascend")
		}
	}
	return nil
}

// RowOutcome makes the outcome of one row.
func RowOutcome(o connector.RowOutcome) (*connectorv1.RowOutcome, error) {
	status, err1 := statuses.out("status", o.Status)
	e, err2 := Error(o.Error)
	out := &connectorv1.RowOutcome{Row: uint32(max(o.Row, 0)), Status: status, Error: e, DetailJson: o.Detail}
	return out, first(err1, within("error", err2), notNegative("row", o.Row), checkRowOutcome(o))
}

// RowOutcomeFrom reads the outcome of one row.
func RowOutcomeFrom(o *connectorv1.RowOutcome) (connector.RowOutcome, error) {
	status, err1 := statuses.in("status", o.GetStatus())
	e, err2 := ErrorFrom(o.GetError())
	out := connector.RowOutcome{Row: int(o.GetRow()), Status: status, Error: e, Detail: o.GetDetailJson()}
	return out, first(err1, within("error", err2), checkRowOutcome(out))
}

func checkRowOutcome(o connector.RowOutcome) error {
	if o.Status == connector.StatusSkipped {
		return broken("status", "SKIPPED is set by hosts only")
	}
	if o.Error == nil && o.Status != connector.StatusSucceeded {
		return broken("error", "is required unless the record succeeded")
	}
	return jsonText("detail_json", o.Detail, MaxMessage)
}

// RowOutcomes makes the findings of a validation of a number of rows.
func RowOutcomes(all []connector.RowOutcome, rows int) ([]*connectorv1.RowOutcome, error) {
	if err := checkFindings(all, rows); err != nil {
		return nil, err
	}
	return list("findings", all, RowOutcome)
}

// RowOutcomesFrom reads the findings of a validation of a number of rows.
func RowOutcomesFrom(all []*connectorv1.RowOutcome, rows int) ([]connector.RowOutcome, error) {
	out, err := list("findings", all, RowOutcomeFrom)
	return out, first(err, checkFindings(out, rows))
}

func checkFindings(all []connector.RowOutcome, rows int) error {
	for i, o := range all {
		if o.Status != connector.StatusInvalid {
			return broken(fmt.Sprintf("findings[%d].status", i), "must be INVALID; rows that are fine are not listed")
		}
	}
	return CheckRows("findings", all, rows)
}

// MaxMessage is the size of the largest message that both ends accept, in bytes.
const MaxMessage = 16 << 20
