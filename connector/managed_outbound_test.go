package connector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

func TestBatchesAreCutAndMergedIntoChunks(t *testing.T) {
	other := &connector.Schema{ID: "other", Columns: people.Columns}
	recast := func(b *connector.RecordBatch) *connector.RecordBatch { b.Schema = other; return b }
	for name, c := range map[string]struct {
		managed connector.ManagedOutbound
		batches []*connector.RecordBatch
		want    []string
	}{
		"small batches are merged":          {connector.ManagedOutbound{MaxRecords: 10}, []*connector.RecordBatch{batchOf(0, 4, "Create"), batchOf(4, 4, "Create")}, []string{"Create 0-7"}},
		"a large batch is cut":              {connector.ManagedOutbound{MaxRecords: 10}, []*connector.RecordBatch{batchOf(0, 25, "Create")}, []string{"Create 0-9", "Create 10-19", "Create 20-24"}},
		"a rest is filled up":               {connector.ManagedOutbound{MaxRecords: 10}, []*connector.RecordBatch{batchOf(0, 7, "Create"), batchOf(7, 7, "Create")}, []string{"Create 0-9", "Create 10-13"}},
		"an action has a chunk of its own":  {connector.ManagedOutbound{MaxRecords: 10}, []*connector.RecordBatch{batchOf(0, 2, "Create"), batchOf(2, 2, "Update"), batchOf(4, 2, "Create")}, []string{"Create 0-1", "Update 2-3", "Create 4-5"}},
		"a schema has a chunk of its own":   {connector.ManagedOutbound{MaxRecords: 10}, []*connector.RecordBatch{batchOf(0, 2, "Create"), recast(batchOf(2, 2, "Create"))}, []string{"Create 0-1", "Create 2-3"}},
		"bytes bound a chunk":               {connector.ManagedOutbound{MaxBytes: 24}, []*connector.RecordBatch{batchOf(1, 5, "Create")}, []string{"Create 1-2", "Create 3-4", "Create 5-5"}},
		"a row larger than a chunk goes":    {connector.ManagedOutbound{MaxBytes: 3}, []*connector.RecordBatch{batchOf(1, 2, "Create")}, []string{"Create 1-1", "Create 2-2"}},
		"empty batches make no chunk":       {connector.ManagedOutbound{}, []*connector.RecordBatch{batchOf(0, 0, "Create"), batchOf(0, 1, "Create"), batchOf(1, 0, "Update")}, []string{"Create 0-0"}},
		"a thousand records is the default": {connector.ManagedOutbound{}, []*connector.RecordBatch{batchOf(0, 1001, "Create")}, []string{"Create 0-999", "Create 1000-1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			host := newOutboundHost(c.batches...)
			var got []string
			c.managed.Concurrency = 1
			c.managed.Write = func(_ context.Context, chunk *connector.Chunk) error {
				b := chunk.Records
				got = append(got, fmt.Sprintf("%s %d-%d", b.Action, b.Seqs[0], b.Seqs[len(b.Seqs)-1]))
				checkRows(t, b)
				for row := range chunk.Len() {
					chunk.Succeed(row, "app-"+b.Identifiers[row])
				}
				return nil
			}
			if err := c.managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("chunks (-want +got):\n%s", diff)
			}
			host.lawful(t)
			for seq, id := range host.appIDs {
				if id != fmt.Sprint("app-id", seq) {
					t.Errorf("record %d has the app identifier %q", seq, id)
				}
			}
			if len(host.held) != 0 {
				t.Errorf("%d records have no outcome", len(host.held))
			}
		})
	}
}

// checkRows checks that values and nulls are those of batchOf.
func checkRows(t *testing.T, b *connector.RecordBatch) {
	t.Helper()
	for row, seq := range b.Seqs {
		null := seq%3 == 0
		city := fmt.Sprint("city", seq)
		if null {
			city = ""
		}
		if b.Columns[0].Texts[row] != fmt.Sprint("name", seq) || b.Columns[1].Texts[row] != city || b.Columns[1].IsNull(row) != null || b.Identifiers[row] != fmt.Sprint("id", seq) {
			t.Errorf("row %d of record %d holds %q, %q (null %v)", row, seq, b.Columns[0].Texts[row], b.Columns[1].Texts[row], b.Columns[1].IsNull(row))
		}
	}
}

func TestAppIdentifiersStayWithTheirRowsWhenBatchesMerge(t *testing.T) {
	with := batchOf(2, 2, "Update")
	with.AppIdentifiers = []string{"a2", "a3"}
	host := newOutboundHost(batchOf(0, 2, "Update"), with, batchOf(4, 1, "Update"))
	managed := connector.ManagedOutbound{Write: func(_ context.Context, chunk *connector.Chunk) error {
		if want := []string{"", "", "a2", "a3", ""}; !slices.Equal(chunk.Records.AppIdentifiers, want) {
			t.Errorf("got %q, want %q", chunk.Records.AppIdentifiers, want)
		}
		return errors.New("over")
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
		t.Fatal(err)
	}
}

// TestWhatAnErrorMeansForRowsWithoutOutcome covers the whole table: how far the
// chunk got, whether repeating is harmless, and every class.
func TestWhatAnErrorMeansForRowsWithoutOutcome(t *testing.T) {
	type stage string
	const fresh, prepared, submitted stage = "fresh", "prepared", "submitted"
	want := func(s stage, harmless, keeps bool, class connector.Class) (connector.Status, bool) {
		unknown := class == connector.ClassTransient || class == connector.ClassCancelled || class == connector.ClassInternal
		switch {
		case class == "" && s != fresh && !harmless:
			return connector.StatusInDoubt, false
		case class == "":
			return connector.StatusRejected, false
		case s == submitted && keeps:
			return connector.StatusDelayed, true
		case s == fresh || !unknown && s == prepared:
			return connector.StatusFor(class), false
		case !harmless:
			return connector.StatusInDoubt, false
		case class == connector.ClassCancelled:
			return connector.StatusDelayed, false
		}
		return connector.StatusRetry, false
	}
	for _, class := range append([]connector.Class{""}, connector.Classes...) {
		for _, s := range []stage{fresh, prepared, submitted} {
			for _, harmless := range []bool{false, true} {
				for _, keeps := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %s, harmless %v, tickets kept %v", class, s, harmless, keeps), func(t *testing.T) {
						host := newOutboundHost(batchOf(0, 3, "Create"))
						managed := connector.ManagedOutbound{
							Write: func(ctx context.Context, chunk *connector.Chunk) error {
								chunk.Succeed(1, "")
								if s != fresh {
									if err := chunk.Prepare(ctx, "{}", harmless); err != nil {
										t.Error(err)
									}
								}
								if s == submitted {
									if err := chunk.Submitted(ctx, "{}"); err != nil {
										t.Error(err)
									}
								}
								if class == "" {
									return nil
								}
								return fmt.Errorf("wrapped: %w", connector.Errorf(class, "CODE", "it failed"))
							},
							Resume: func(context.Context, *connector.Chunk, connector.Ticket) error { return nil },
						}
						err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: keeps}, host)
						stops := class == connector.ClassAuth || class == connector.ClassPermission || class == connector.ClassConfig || class == connector.ClassQuotaExhausted
						if stops != (err != nil) || stops && connector.ClassOf(err) != class {
							t.Errorf("Run returned %v", err)
						}
						status, open := want(s, harmless, keeps, class)
						got := host.statuses()
						if got[status] != 2 || got[connector.StatusSucceeded] != 1 {
							t.Errorf("got %v, want 2 of %s and 1 that succeeded", got, status)
						}
						if stays := len(host.open()) == 1; stays != open {
							t.Errorf("open tickets %v, want one: %v", host.open(), open)
						}
						host.lawful(t)
					})
				}
			}
		}
	}
}

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

func TestMisuseIsReportedAndHarmsNobody(t *testing.T) {
	host := newOutboundHost(batchOf(0, 4, "Create"))
	managed := connector.ManagedOutbound{Write: func(ctx context.Context, chunk *connector.Chunk) error {
		a, b := chunk.Halves()
		a.Succeed(2, "of the other half")
		a.Succeed(-1, "")
		for row := range 2 {
			a.Succeed(row, "first")
			a.Fail(row, connector.StatusRejected, nil, "")
			b.Fail(row, connector.StatusRejected, connector.Errorf(connector.ClassRejected, "NO", "no"), "")
		}
		if err := a.Prepare(ctx, "{}", true); err == nil {
			t.Error("a settled chunk was prepared")
		}
		if err := b.Submitted(ctx, "{}"); err == nil {
			t.Error("a chunk was submitted that was not prepared")
		}
		return nil
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
		t.Fatal(err)
	}
	host.lawful(t)
	if diff := cmp.Diff(map[connector.Status]int{connector.StatusSucceeded: 2, connector.StatusRejected: 2}, host.statuses()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if words := strings.Join(host.activities(), "\n"); !strings.Contains(words, "4 outcomes were ignored") {
		t.Errorf("the host was told:\n%s", words)
	}
}

func TestAPanicFailsItsChunkAloneAndKeepsRecordsToItself(t *testing.T) {
	host := newOutboundHost(batchOf(0, 4, "Create"))
	managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(_ context.Context, chunk *connector.Chunk) error {
		if chunk.Records.Seqs[0] == 0 {
			panic("cannot send " + chunk.Records.Columns[0].Texts[0])
		}
		return explode(chunk.Records.Columns[0].Texts)
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
		t.Fatal(err)
	}
	for seq := range int64(4) {
		e := host.outcomes[seq].Error
		if e == nil || e.Code != "PANIC" || e.Class != connector.ClassInternal || !strings.Contains(e.Message, "managed_outbound_test") && !strings.Contains(e.Message, "connector_test.") {
			t.Fatalf("record %d: got %+v, want a PANIC with its place", seq, e)
		}
		if strings.Contains(e.Message, "name") {
			t.Errorf("the error repeats a record: %s", e.Message)
		}
	}
	if m := host.outcomes[2].Error.Message; !strings.Contains(m, "index out of range") || !strings.Contains(m, "explode") {
		t.Errorf("the runtime's own words are missing: %s", m)
	}
}

func explode(texts []string) error { return errors.New(texts[len(texts)]) }

func TestAnErrorThatConcernsAllStopsThePulling(t *testing.T) {
	var batches []*connector.RecordBatch
	for i := range 100 {
		batches = append(batches, batchOf(i*10, 10, "Create"))
	}
	host := newOutboundHost(batches...)
	managed := connector.ManagedOutbound{MaxRecords: 10, Concurrency: 2, Write: func(_ context.Context, chunk *connector.Chunk) error {
		return connector.Errorf(connector.ClassAuth, "INVALID_TOKEN", "the login was refused")
	}}
	err := managed.Run(t.Context(), connector.OutboundSync{}, host)
	if connector.ClassOf(err) != connector.ClassAuth {
		t.Errorf("Run returned %v", err)
	}
	host.lawful(t)
	if len(host.held) != 0 || host.fetched > 10 {
		t.Errorf("%d records without outcome, %d batches taken", len(host.held), host.fetched)
	}
	if got := host.statuses(); got[connector.StatusDelayed] != host.fetched*10 {
		t.Errorf("got %v, want %d DELAYED", got, host.fetched*10)
	}
}

func TestManyOutcomesTravelInSeveralMessages(t *testing.T) {
	host := newOutboundHost(batchOf(0, 25_000, "Create"))
	managed := connector.ManagedOutbound{MaxRecords: 25_000, Write: func(_ context.Context, chunk *connector.Chunk) error {
		why := connector.Errorf(connector.ClassRejected, "LONG", "%s", strings.Repeat("x", 300))
		for row := range chunk.Len() {
			if row%2 == 0 {
				chunk.Fail(row, connector.StatusRejected, why, "")
			} else {
				chunk.Succeed(row, fmt.Sprint("a", row))
			}
		}
		return nil
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
		t.Fatal(err)
	}
	host.lawful(t)
	if got := host.statuses(); got[connector.StatusRejected] != 12_500 || got[connector.StatusSucceeded] != 12_500 || host.appIDs[24_999] != "a24999" || host.outcomes[24_998].Status != connector.StatusRejected {
		t.Errorf("got %v", got)
	}
}

func TestMemoryHoldsAChunkMoreThanAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const batch, chunkSize, workers = 70, 100, 3
		var batches []*connector.RecordBatch
		for i := range 60 {
			batches = append(batches, batchOf(i*batch, batch, "Create"))
		}
		host := newOutboundHost(batches...)
		var now, most atomic.Int64
		managed := connector.ManagedOutbound{MaxRecords: chunkSize, Concurrency: workers, Write: func(_ context.Context, chunk *connector.Chunk) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-time.After(time.Hour)
			now.Add(-1)
			for row := range chunk.Len() {
				chunk.Succeed(row, "")
			}
			return nil
		}}
		if err := managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
			t.Fatal(err)
		}
		host.lawful(t)
		if bound := (workers+1)*chunkSize + batch; host.most > bound || most.Load() != workers {
			t.Errorf("%d records held at once, at most %d allowed; %d chunks at once", host.most, bound, most.Load())
		}
	})
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

func TestStops(t *testing.T) {
	for name, c := range map[string]struct {
		mode    connector.StopMode
		in      time.Duration // of the deadline
		takes   time.Duration // a chunk
		want    connector.Status
		longest time.Duration
	}{
		"a drain finishes what is in hand":   {connector.StopDrain, time.Hour, time.Minute, connector.StatusSucceeded, time.Minute},
		"a drain ends before its deadline":   {connector.StopDrain, time.Minute, time.Hour, connector.StatusDelayed, time.Minute},
		"a drain may have no deadline":       {connector.StopDrain, -1, time.Hour, connector.StatusSucceeded, time.Hour},
		"now cancels and settles at once":    {connector.StopNow, time.Minute, time.Hour, connector.StatusDelayed, 0},
		"now does so whatever the deadline":  {connector.StopNow, 0, time.Hour, connector.StatusDelayed, 0},
		"a deadline in the past is one, too": {connector.StopDrain, 0, time.Hour, connector.StatusDelayed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := newOutboundHost(batchOf(0, 25, "Create"))
				host.stayOpen = true
				managed := connector.ManagedOutbound{MaxRecords: 10, Concurrency: 3, Write: func(ctx context.Context, chunk *connector.Chunk) error {
					select {
					case <-time.After(c.takes):
					case <-ctx.Done():
						if e := connector.AsError(context.Cause(ctx)); e.Class != connector.ClassCancelled || e.Code != "STOPPED" || !errors.Is(context.Cause(ctx), context.Canceled) {
							t.Errorf("the cause is %v", e)
						}
						return ctx.Err()
					}
					for row := range chunk.Len() {
						chunk.Succeed(row, "")
					}
					return nil
				}}
				over := make(chan error, 1)
				go func() { over <- managed.Run(t.Context(), connector.OutboundSync{}, host) }()
				synctest.Wait() // two chunks are under way, five records wait for more
				began := time.Now()
				if c.in < 0 {
					host.stop <- connector.Stop{Mode: c.mode}
				} else {
					host.ask(c.mode, c.in)
				}
				if err := <-over; err != nil {
					t.Errorf("Run returned %v", err)
				}
				if took := time.Since(began); took > c.longest {
					t.Errorf("it took %v, at most %v allowed", took, c.longest)
				}
				host.lawful(t)
				got := host.statuses()
				if got[c.want]+got[connector.StatusDelayed] < 25 || got[c.want] < 20 || len(host.held) != 0 {
					t.Errorf("got %v, want %s; %d without outcome", got, c.want, len(host.held))
				}
				if c.want == connector.StatusSucceeded && got[c.want] != 25 {
					t.Errorf("got %v: a drain writes what it holds", got)
				}
			})
		})
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

// A call that creates a job is not cut off by a stop, or its records would be in
// doubt; only what the deadline leaves no time for is.
func TestAStopLetsASubmissionEnd(t *testing.T) {
	for name, c := range map[string]struct {
		in, takes time.Duration // of the stop's deadline; of the call
		open      int
		want      connector.Status
		longest   time.Duration
	}{
		"the call ends in time":              {10 * time.Second, 3 * time.Second, 1, connector.StatusDelayed, 3 * time.Second},
		"the call takes too long":            {10 * time.Second, time.Minute, 0, connector.StatusInDoubt, 8 * time.Second},
		"the stop has no deadline":           {-1, 4 * time.Second, 1, connector.StatusDelayed, 4 * time.Second},
		"nor does the call have an end":      {-1, time.Hour, 0, connector.StatusInDoubt, 5 * time.Second},
		"the deadline of the stop is passed": {0, time.Second, 0, connector.StatusInDoubt, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := newOutboundHost(batchOf(0, 2, "Create"))
				managed := connector.ManagedOutbound{
					Write: func(ctx context.Context, chunk *connector.Chunk) error {
						if err := chunk.Prepare(ctx, "{}", false); err != nil {
							t.Error(err)
						}
						if err := chunk.Stopped(); err != nil {
							t.Errorf("stopped before the stop: %v", err)
						}
						if c.in < 0 {
							host.stop <- connector.Stop{Mode: connector.StopNow}
						} else {
							host.ask(connector.StopNow, c.in)
						}
						select { // the call that creates the job
						case <-time.After(c.takes):
						case <-ctx.Done():
							return ctx.Err()
						}
						if err := chunk.Stopped(); connector.AsError(err).Code != "STOPPED" {
							t.Errorf("after the stop the chunk is stopped for %v", err)
						}
						if err := chunk.Submitted(ctx, `{"job":1}`); err != nil {
							t.Error(err)
						}
						<-ctx.Done() // polling
						return context.Cause(ctx)
					},
					Resume: func(context.Context, *connector.Chunk, connector.Ticket) error { return nil },
				}
				began := time.Now()
				if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > c.longest {
					t.Errorf("it took %v, at most %v allowed", took, c.longest)
				}
				host.lawful(t)
				if got, open := host.statuses(), host.open(); got[c.want] != 2 || len(open) != c.open {
					t.Errorf("got %v and open tickets %v, want %s and %d", got, open, c.want, c.open)
				}
			})
		})
	}
}

// While one half is being submitted a stop lets it end, and lets the other not begin.
func TestAStopBetweenTwoHalvesSubmitsOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 4, "Create"))
		half := func(ctx context.Context, chunk *connector.Chunk) error {
			if err := chunk.Prepare(ctx, "{}", false); err != nil {
				return err
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := chunk.Submitted(ctx, "{}"); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		managed := connector.ManagedOutbound{
			Write: func(ctx context.Context, chunk *connector.Chunk) error {
				if err := chunk.Prepare(ctx, "{}", false); err != nil {
					t.Error(err)
				}
				a, b := chunk.Halves()
				var first sync.WaitGroup
				first.Go(func() { a.Conclude(half(ctx, a)) })
				synctest.Wait()
				host.ask(connector.StopNow, time.Minute)
				synctest.Wait()
				if ctx.Err() != nil {
					t.Error("the half that is being submitted was cancelled")
				}
				b.Conclude(half(ctx, b))
				first.Wait()
				return nil
			},
			Resume: func(context.Context, *connector.Chunk, connector.Ticket) error { return nil },
		}
		if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
			t.Fatal(err)
		}
		host.lawful(t)
		got, open := host.statuses(), host.open()
		if got[connector.StatusDelayed] != 4 || len(open) != 1 || open[0].State != connector.TicketSubmitted {
			t.Errorf("got %v and open tickets %+v", got, open)
		}
	})
}

func TestNothingIsPreparedOnceTheContextHasEnded(t *testing.T) {
	host := newOutboundHost(batchOf(0, 2, "Create"))
	managed := connector.ManagedOutbound{Write: func(ctx context.Context, chunk *connector.Chunk) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return chunk.Prepare(ctx, "{}", false)
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
		t.Fatal(err)
	}
	if got := host.statuses(); got[connector.StatusDelayed] != 2 || len(host.journal) != 0 {
		t.Errorf("got %v and the journal %v", got, host.journal)
	}
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

func TestTheDeadlineLeavesTimeToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 2, "Create"))
		host.stayOpen = true
		deadline := time.Now().Add(time.Hour)
		managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(ctx context.Context, chunk *connector.Chunk) error {
			if at, ok := ctx.Deadline(); !ok || !at.Before(deadline) {
				t.Errorf("the chunk's deadline is %v, the run's %v", at, deadline)
			}
			if connector.HostFrom(ctx) == nil {
				t.Error("the context carries no host")
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		if err := managed.Run(t.Context(), connector.OutboundSync{Deadline: deadline}, host); err != nil {
			t.Fatal(err)
		}
		if o := host.outcomes[0]; !time.Now().Before(deadline) || o.Status != connector.StatusDelayed || o.Error.Code != "DEADLINE" {
			t.Errorf("at %v, deadline %v: %s %v", time.Now(), deadline, o.Status, o.Error)
		}
	})
}

func TestALostHostEndsTheRun(t *testing.T) {
	gone := errors.New("the host is gone")
	t.Run("while taking records", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			host := newOutboundHost(batchOf(0, 4, "Create"))
			host.nextErr = gone
			managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(ctx context.Context, _ *connector.Chunk) error {
				<-ctx.Done()
				return ctx.Err()
			}}
			if err := managed.Run(t.Context(), connector.OutboundSync{}, host); !errors.Is(err, gone) {
				t.Errorf("Run returned %v", err)
			}
			if got := host.statuses(); got[connector.StatusDelayed] != 4 {
				t.Errorf("got %v", got)
			}
		})
	})
	t.Run("while settling", func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 4, "Create"))
		host.settleErr, host.stayOpen = gone, true
		managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(context.Context, *connector.Chunk) error { return nil }}
		if err := managed.Run(t.Context(), connector.OutboundSync{}, host); !errors.Is(err, gone) {
			t.Errorf("Run returned %v", err)
		}
	})
	t.Run("when the call is cancelled", func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 4, "Create"))
		host.stayOpen = true
		ctx, cancel := context.WithCancel(t.Context())
		managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(ctx context.Context, _ *connector.Chunk) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}}
		if err := managed.Run(ctx, connector.OutboundSync{}, host); connector.ClassOf(err) != connector.ClassCancelled {
			t.Errorf("Run returned %v", err)
		}
		if got := host.statuses(); got[connector.StatusDelayed] != 4 {
			t.Errorf("got %v: outcomes are sent even when the call's context has ended", got)
		}
	})
}

// TestEveryRecordGetsOneOutcome throws random batches, chunk sizes, failures,
// panics, splits and stops at a run, and asks the laws.
func TestEveryRecordGetsOneOutcome(t *testing.T) {
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			trial := newTrial(r)
			stops, after, mode, in := r.IntN(3) == 0, r.IntN(5000), r.IntN(2), r.IntN(4000)
			over := make(chan error, 1)
			go func() { over <- trial.managed.Run(t.Context(), trial.sync, trial.host) }()
			if stops {
				<-time.After(time.Duration(after) * time.Millisecond)
				trial.host.ask([]connector.StopMode{connector.StopDrain, connector.StopNow}[mode], time.Duration(in)*time.Millisecond)
			}
			err := <-over
			if e := connector.AsError(err); e != nil && e.Class != connector.ClassAuth && e.Class != connector.ClassQuotaExhausted {
				t.Errorf("seed %d: Run returned %v", seed, err)
			}
			trial.host.lawful(t)
			if n := len(trial.host.held); n != 0 {
				t.Errorf("seed %d: %d records have no outcome", seed, n)
			}
			trial.check(t)
			if t.Failed() {
				t.Fatalf("seed %d failed", seed)
			}
		})
	}
}

// trial is one random run, and what is known of each record.
type trial struct {
	managed connector.ManagedOutbound
	sync    connector.OutboundSync
	host    *outboundHost

	mu        sync.Mutex
	r         *rand.Rand
	accepted  map[int64]bool // the app has the job
	harmless  map[int64]bool
	succeeded map[int64]bool
}

func newTrial(r *rand.Rand) *trial {
	tr := &trial{r: r, accepted: map[int64]bool{}, harmless: map[int64]bool{}, succeeded: map[int64]bool{}}
	var batches []*connector.RecordBatch
	var old []connector.Ticket
	seq := 0
	for i := range r.IntN(20) {
		n := r.IntN(40)
		b := batchOf(seq, n, []connector.Action{"Create", "Update", "Delete"}[r.IntN(3)])
		if i < 2 && n > 0 && r.IntN(2) == 0 {
			b.Ticket = fmt.Sprint("old", i)
			old = append(old, connector.Ticket{ID: b.Ticket, State: connector.TicketSubmitted, Seqs: connector.SeqRanges(b.Seqs)})
			for _, s := range b.Seqs {
				tr.accepted[s] = true
			}
		}
		batches, seq = append(batches, b), seq+n
	}
	tr.host = newOutboundHost(batches...)
	for _, t := range old {
		tr.host.handBack(t)
	}
	tr.host.stayOpen = r.IntN(8) == 0
	tr.sync = connector.OutboundSync{KeepsTickets: true, Tickets: old}
	if tr.host.stayOpen || r.IntN(4) == 0 {
		tr.sync.Deadline = time.Now().Add(time.Duration(1+r.IntN(10)) * time.Second)
	}
	tr.managed = connector.ManagedOutbound{
		MaxRecords: 1 + r.IntN(30), MaxBytes: 1 + r.Int64N(400), Concurrency: 1 + r.IntN(4), Write: tr.write,
		Resume: func(ctx context.Context, chunk *connector.Chunk, _ connector.Ticket) error {
			return tr.outcome(ctx, chunk)
		},
	}
	return tr
}

func (tr *trial) roll(n int) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.r.IntN(n)
}

func (tr *trial) mark(m map[int64]bool, chunk *connector.Chunk) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for row, s := range chunk.Records.Seqs {
		if !chunk.Settled(row) {
			m[s] = true
		}
	}
}

func (tr *trial) write(ctx context.Context, chunk *connector.Chunk) error {
	checked := chunk.Len()
	for row := range checked {
		if !chunk.Settled(row) && tr.roll(10) == 0 {
			chunk.Fail(row, connector.StatusInvalid, connector.Errorf(connector.ClassRejected, "BAD", "bad"), "")
		}
	}
	if tr.roll(4) == 0 {
		return tr.outcome(ctx, chunk) // without a ticket
	}
	harmless := tr.roll(2) == 0
	if err := chunk.Prepare(ctx, "{}", harmless); err != nil {
		return err
	}
	if harmless {
		tr.mark(tr.harmless, chunk)
	}
	if chunk.Len() > 1 && tr.roll(3) == 0 {
		a, b := chunk.Halves()
		return errors.Join(tr.write(ctx, a), tr.write(ctx, b))
	}
	switch tr.roll(6) {
	case 0:
		return connector.Errorf(connector.ClassTransient, "LOST", "the answer was lost")
	case 1:
		panic("no")
	}
	tr.mark(tr.accepted, chunk)
	if err := chunk.Submitted(ctx, "{}"); err != nil {
		return err
	}
	return tr.outcome(ctx, chunk)
}

// outcome waits like a job and then does anything a connector may do.
func (tr *trial) outcome(ctx context.Context, chunk *connector.Chunk) error {
	select {
	case <-time.After(time.Duration(tr.roll(2000)) * time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	some := tr.roll(3) == 0
	for row, s := range chunk.Records.Seqs {
		if chunk.Settled(row) || some && tr.roll(2) == 0 {
			continue
		}
		if tr.roll(5) == 0 {
			chunk.Fail(row, connector.StatusRejected, connector.Errorf(connector.ClassRejected, "NO", "no"), "{}")
			continue
		}
		chunk.Succeed(row, fmt.Sprint("a", s))
		tr.mu.Lock()
		tr.succeeded[s] = true
		tr.mu.Unlock()
	}
	switch tr.roll(30) {
	case 0:
		return connector.Errorf(connector.ClassAuth, "GONE", "the grant is gone")
	case 1:
		return connector.Errorf(connector.ClassQuotaExhausted, "SPENT", "the budget is spent")
	case 2:
		panic(chunk)
	case 3, 4, 5:
		return connector.Errorf(connector.Classes[3+tr.roll(3)], "ANY", "something")
	}
	return nil
}

// check asks what must never happen: a success that was none, one that was
// forgotten, and a record that the app may have and that is sent again.
func (tr *trial) check(t *testing.T) {
	t.Helper()
	held := map[int64]bool{}
	for _, open := range tr.host.open() {
		for _, r := range open.Seqs {
			for s := r.First; s <= r.Last; s++ {
				held[s] = true
			}
		}
	}
	for s, o := range tr.host.outcomes {
		ok := o.Status == connector.StatusSucceeded
		if ok != tr.succeeded[s] || ok && tr.host.appIDs[s] != fmt.Sprint("a", s) {
			t.Errorf("record %d: %s, succeeded %v, app identifier %q", s, o.Status, tr.succeeded[s], tr.host.appIDs[s])
		}
		again := o.Status == connector.StatusRetry || o.Status == connector.StatusDelayed
		if again && tr.accepted[s] && !tr.harmless[s] && !held[s] {
			t.Errorf("record %d: the app may have it, no ticket holds it, and it is sent again (%s, %v)", s, o.Status, o.Error)
		}
	}
	for _, open := range tr.host.open() {
		if open.State == connector.TicketSubmitted && tr.host.fetched == 0 {
			continue // handed back and never met
		}
		if open.State != connector.TicketSubmitted {
			t.Errorf("ticket %s stays %s", open.ID, open.State)
		}
	}
}
