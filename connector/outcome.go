package connector

// Status is the kind of an outcome.
type Status string

// The outcomes. Every record gets exactly one per run.
const (
	// StatusSucceeded: the app said yes.
	StatusSucceeded Status = "SUCCEEDED"
	// StatusRejected: the app said no to this record.
	StatusRejected Status = "REJECTED"
	// StatusRetry: a passing fault; the host may try again in this run.
	StatusRetry Status = "RETRY"
	// StatusDelayed: not attempted for want of time or budget, or because the
	// run was stopped; a later run sends it.
	StatusDelayed Status = "DELAYED"
	// StatusInvalid: failed validation on our side, never sent.
	StatusInvalid Status = "INVALID"
	// StatusInDoubt: may or may not have been applied; the user decides.
	StatusInDoubt Status = "IN_DOUBT"
	// StatusSkipped: the user said not to send it. Set by the host only.
	StatusSkipped Status = "SKIPPED"
)

// Outcomes settles a set of records: all of Seqs succeeded, except the rows
// listed in Exceptions.
type Outcomes struct {
	// Seqs are the records settled.
	Seqs []int64
	// AppIdentifiers are parallel to Seqs, "" where unknown; nil when none is known.
	AppIdentifiers []string
	// Exceptions are the rows that did not succeed, and those that did with
	// something to tell, in ascending order of Row.
	Exceptions []RowOutcome
}

// RowOutcome is the outcome of one row.
type RowOutcome struct {
	// Row is the position in Outcomes.Seqs (or in the batch, for validation).
	Row int
	// Status is what became of it.
	Status Status
	// Error says why; required unless Status is SUCCEEDED or SKIPPED.
	Error *Error
	// Detail holds the app's own words as JSON text; may be empty.
	Detail string
}
