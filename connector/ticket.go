package connector

// TicketState is where a piece of asynchronous work stands.
type TicketState string

// The states of a ticket.
const (
	// TicketPrepared: everything is ready to submit, nothing is submitted. A
	// crash after this state and before the next leaves the records in doubt.
	TicketPrepared TicketState = "PREPARED"
	// TicketSubmitted: the app accepted the work and named it.
	TicketSubmitted TicketState = "SUBMITTED"
	// TicketDone: the outcome of every record was sent.
	TicketDone TicketState = "DONE"
)

// Ticket is a durable handle on work that the app does asynchronously, kept by
// the host as a write-ahead journal.
type Ticket struct {
	// ID is unique within the run; the connector chooses it. Required.
	ID string
	// State moves forward only.
	State TicketState
	// Seqs are the records the work holds.
	Seqs []SeqRange
	// Handle is what the connector needs to go on after a crash, as JSON text
	// without secrets, for instance a job id.
	Handle string
	// Idempotent promises that submitting the same records again does no
	// harm, so that a ticket left PREPARED by a crash need not be in doubt.
	Idempotent bool
}

// SeqRange is the range of record numbers from First to Last, both included.
type SeqRange struct{ First, Last int64 }

// SeqRanges folds ascending record numbers into ranges.
func SeqRanges(seqs []int64) []SeqRange {
	var ranges []SeqRange
	for _, s := range seqs {
		if n := len(ranges); n > 0 && ranges[n-1].Last+1 == s {
			ranges[n-1].Last = s
			continue
		}
		ranges = append(ranges, SeqRange{First: s, Last: s})
	}
	return ranges
}
