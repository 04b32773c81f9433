package connector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

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
