package connector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

func TestOutcomesPrecedeDoneAndTheJournalIsInOrder(t *testing.T) {
	host := newOutboundHost(batchOf(0, 5, "Create"))
	var acked atomic.Bool
	host.acks = func(connector.Ticket) { acked.Store(true) }
	managed := connector.ManagedOutbound{Write: func(ctx context.Context, chunk *connector.Chunk) error {
		chunk.Fail(4, connector.StatusInvalid, nil, "")
		if err := chunk.Prepare(ctx, `{"file":1}`, false); err != nil || !acked.Load() {
			t.Errorf("prepared without the journal: %v", err)
		}
		if err := chunk.Submitted(ctx, `{"job":1}`); err != nil {
			t.Error(err)
		}
		for row := range chunk.Len() - 1 {
			chunk.SucceedWith(row, fmt.Sprint("a", row), `{"ok":true}`)
		}
		return nil
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
		t.Fatal(err)
	}
	host.lawful(t)
	if want := []string{"PREPARED", "SUBMITTED", "DONE"}; !slices.Equal(host.journal, want) {
		t.Errorf("journal %v, want %v", host.journal, want)
	}
	for _, ticket := range host.tickets {
		if want := []connector.SeqRange{{First: 0, Last: 3}}; !slices.Equal(ticket.Seqs, want) {
			t.Errorf("the ticket holds %v, want %v: record 4 was settled before", ticket.Seqs, want)
		}
	}
	if o := host.outcomes[4]; o.Error == nil || o.Error.Code != "NO_REASON" {
		t.Errorf("a failure without reason has the error %v", o.Error)
	}
}

func TestHalvesSettleIntoTheWholeAndTakeItsTicketOver(t *testing.T) {
	host := newOutboundHost(batchOf(0, 9, "Create"))
	var write func(ctx context.Context, chunk *connector.Chunk) error
	write = func(ctx context.Context, chunk *connector.Chunk) error {
		checkRows(t, chunk.Records)
		if err := chunk.Prepare(ctx, "{}", false); err != nil {
			t.Error(err)
		}
		if chunk.Len() > 3 { // the app finds it too large
			a, b := chunk.Halves()
			a.Conclude(write(ctx, a))
			b.Conclude(write(ctx, b))
			return nil
		}
		if chunk.Records.Seqs[0] == 0 {
			return connector.Errorf(connector.ClassTransient, "LOST", "the answer was lost")
		}
		if err := chunk.Submitted(ctx, "{}"); err != nil {
			t.Error(err)
		}
		chunk.ReleaseValues(0)
		for row := range chunk.Len() {
			if chunk.Records.Columns[0].Texts[row] == "" || chunk.Records.Columns[1].Texts != nil {
				t.Errorf("columns %v after the release of all but the first", chunk.Records.Columns)
			}
			chunk.Succeed(row, fmt.Sprint("a", chunk.Records.Seqs[row]))
		}
		return nil
	}
	managed := connector.ManagedOutbound{Write: write}
	if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
		t.Fatal(err)
	}
	host.lawful(t)
	want := map[connector.Status]int{connector.StatusSucceeded: 7, connector.StatusInDoubt: 2}
	if diff := cmp.Diff(want, host.statuses()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for seq, id := range host.appIDs {
		if id != "" && id != fmt.Sprint("a", seq) {
			t.Errorf("record %d has the app identifier %s", seq, id)
		}
	}
	if open := host.open(); len(open) != 0 {
		t.Errorf("open tickets %v", open)
	}
}

// TestASplitTicketHoldsOnlyWhatIsNotPreparedAnew looks at the journal at the
// moment in which a crash would matter.
func TestASplitTicketHoldsOnlyWhatIsNotPreparedAnew(t *testing.T) {
	host := newOutboundHost(batchOf(0, 4, "Create"))
	managed := connector.ManagedOutbound{Write: func(ctx context.Context, chunk *connector.Chunk) error {
		_ = chunk.Prepare(ctx, "{}", false)
		a, b := chunk.Halves()
		_ = a.Prepare(ctx, "{}", false)
		var ranges [][]connector.SeqRange
		for _, open := range host.open() {
			ranges = append(ranges, open.Seqs)
		}
		if diff := cmp.Diff([][]connector.SeqRange{{{First: 0, Last: 1}}, {{First: 2, Last: 3}}}, ranges); diff != "" {
			t.Errorf("open tickets (-want +got):\n%s", diff)
		}
		_ = b.Prepare(ctx, "{}", false)
		if open := host.open(); len(open) != 2 {
			t.Errorf("open tickets %v, want those of the halves", open)
		}
		return connector.Errorf(connector.ClassRejected, "NO", "no")
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
		t.Fatal(err)
	}
	host.lawful(t)
}

func TestHandedBackTicketsAreResumedWhole(t *testing.T) {
	one, two := batchOf(0, 3, "Create"), batchOf(3, 2, "Create")
	one.Ticket, two.Ticket = "old", "old"
	host := newOutboundHost(one, two, batchOf(5, 2, "Create"))
	old := host.handBack(connector.Ticket{ID: "old", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 0, Last: 4}}, Handle: `{"job":7}`})
	empty := host.handBack(connector.Ticket{ID: "empty", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 90, Last: 91}}})
	managed := connector.ManagedOutbound{
		MaxRecords: 2,
		Write: func(_ context.Context, chunk *connector.Chunk) error {
			if chunk.Records.Seqs[0] != 5 {
				t.Errorf("records %v were written anew", chunk.Records.Seqs)
			}
			return connector.Errorf(connector.ClassRejected, "NO", "no")
		},
		Resume: func(_ context.Context, chunk *connector.Chunk, ticket connector.Ticket) error {
			if diff := cmp.Diff(old, ticket); diff != "" || chunk.Len() != 5 {
				t.Errorf("resumed %d rows of (-want +got):\n%s", chunk.Len(), diff)
			}
			for row := range chunk.Len() {
				chunk.Succeed(row, "")
			}
			return nil
		},
	}
	err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true, Tickets: []connector.Ticket{old, empty}}, host)
	if err != nil {
		t.Fatal(err)
	}
	host.lawful(t)
	if diff := cmp.Diff(map[connector.Status]int{connector.StatusSucceeded: 5, connector.StatusRejected: 2}, host.statuses()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if open := host.open(); len(open) != 0 {
		t.Errorf("open tickets %v", open)
	}
}

func TestATicketNobodyCanResumeIsInDoubt(t *testing.T) {
	b := batchOf(0, 2, "Create")
	b.Ticket = "old"
	host := newOutboundHost(b)
	old := host.handBack(connector.Ticket{ID: "old", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 0, Last: 1}}})
	managed := connector.ManagedOutbound{Write: func(context.Context, *connector.Chunk) error { t.Error("written anew"); return nil }}
	if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true, Tickets: []connector.Ticket{old}}, host); err != nil {
		t.Fatal(err)
	}
	if got := host.statuses(); got[connector.StatusInDoubt] != 2 || len(host.open()) != 0 {
		t.Errorf("got %v and open tickets %v", got, host.open())
	}
}

func TestAnUnannouncedTicketIsTheHostsDefect(t *testing.T) {
	b := batchOf(0, 2, "Create")
	b.Ticket = "never seen"
	host := newOutboundHost(b)
	managed := connector.ManagedOutbound{Write: func(context.Context, *connector.Chunk) error { t.Error("written anew"); return nil }}
	err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host)
	if e := connector.AsError(err); e == nil || e.Code != "UNKNOWN_TICKET" {
		t.Errorf("Run returned %v", err)
	}
	if got := host.statuses(); got[connector.StatusDelayed] != 2 {
		t.Errorf("got %v, want 2 DELAYED", got)
	}
}

func TestASubmissionIsJournaledEvenWhenTheRunIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 2, "Create"))
		managed := connector.ManagedOutbound{
			Write: func(ctx context.Context, chunk *connector.Chunk) error {
				if err := chunk.Prepare(ctx, "{}", false); err != nil {
					t.Error(err)
				}
				host.ask(connector.StopNow, time.Minute)
				<-ctx.Done() // the app accepts the job all the same
				if err := chunk.Submitted(ctx, `{"job":1}`); err != nil {
					t.Error(err)
				}
				return ctx.Err()
			},
			Resume: func(context.Context, *connector.Chunk, connector.Ticket) error { return nil },
		}
		if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
			t.Fatal(err)
		}
		host.lawful(t)
		if open := host.open(); len(open) != 1 || open[0].State != connector.TicketSubmitted || open[0].Handle != `{"job":1}` {
			t.Errorf("open tickets %+v, want the job's", open)
		}
	})
}

func TestASubmissionTheHostWasNotToldOfIsInDoubt(t *testing.T) {
	host := newOutboundHost(batchOf(0, 2, "Create"))
	host.ticketErr = func(ticket connector.Ticket) error {
		if ticket.State == connector.TicketSubmitted {
			return errors.New("the disk is full")
		}
		return nil
	}
	managed := connector.ManagedOutbound{
		Write: func(ctx context.Context, chunk *connector.Chunk) error {
			if err := chunk.Prepare(ctx, "{}", false); err != nil {
				t.Error(err)
			}
			return chunk.Submitted(ctx, "{}")
		},
		Resume: func(context.Context, *connector.Chunk, connector.Ticket) error { return nil },
	}
	_ = managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host)
	if got := host.statuses(); got[connector.StatusInDoubt] != 2 {
		t.Errorf("got %v, want IN_DOUBT", got)
	}
}
