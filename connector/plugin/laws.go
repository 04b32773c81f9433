package plugin

import (
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// outboundLaws watch over what a connector says of records and tickets, so that
// a defect of the connector is found where it is made.
type outboundLaws struct {
	mu      sync.Mutex
	open    *seqSet // taken and not settled
	taken   int64
	settled int64
	tickets map[string]connector.TicketState // not DONE yet
	breach  error                            // the first law that was broken
}

func newOutboundLaws(handedBack []connector.Ticket) *outboundLaws {
	l := &outboundLaws{open: newSeqSet(), tickets: make(map[string]connector.TicketState)}
	for _, t := range handedBack {
		l.tickets[t.ID] = t.State
	}
	return l
}

// broken notes that a law is broken. The lock is held.
func (l *outboundLaws) broken(code, format string, args ...any) error {
	err := connector.Errorf(connector.ClassInternal, code, format, args...)
	if l.breach == nil {
		l.breach = err
	}
	return err
}

// take notes the records of a batch. Those settled long ago are not remembered,
// or memory would grow with the run.
func (l *outboundLaws) take(b *connector.RecordBatch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq, ok := l.open.add(b.Seqs); !ok {
		l.breach = hostBreach("record %d came twice, and is not settled yet", seq)
		return l.breach
	}
	l.taken += int64(b.Rows)
	return nil
}

// settle notes outcomes: each record that was taken is settled once.
func (l *outboundLaws) settle(seqs []int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq, ok := l.open.remove(seqs); !ok {
		return l.broken("UNKNOWN_SEQ", "the connector settled record %d, which it was not given or has settled before", seq)
	}
	l.settled += int64(len(seqs))
	return nil
}

// ticket notes the step of a ticket: it moves forward, and ends after its records.
func (l *outboundLaws) ticket(t connector.Ticket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.tickets[t.ID]
	switch {
	case !known && t.State != connector.TicketPrepared:
		return l.broken("TICKET_ORDER", "ticket %s is %s but was never prepared", t.ID, t.State)
	case before == connector.TicketSubmitted && t.State == connector.TicketPrepared:
		return l.broken("TICKET_ORDER", "ticket %s was prepared after it was submitted", t.ID)
	case t.State != connector.TicketDone:
		l.tickets[t.ID] = t.State
		return nil
	}
	for _, r := range t.Seqs {
		if l.open.any(r) {
			return l.broken("TICKET_ORDER", "ticket %s ended before all of its records were settled", t.ID)
		}
	}
	delete(l.tickets, t.ID)
	return nil
}

// broke returns the first law that was broken, if any.
func (l *outboundLaws) broke() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.breach
}

// end says whether the conversation may end well, and how many records were
// settled.
func (l *outboundLaws) end() (settled int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.breach == nil && l.open.n > 0 {
		return l.settled, l.broken("UNSETTLED", "the connector took %d records and left %d of them without an outcome", l.taken, l.open.n)
	}
	return l.settled, l.breach
}
