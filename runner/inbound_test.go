package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

func newInboundRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, 0)
	both := []connector.ReadMode{connector.ReadFullRefresh, connector.ReadIncremental}
	r.script.streams = []connector.Stream{
		{Name: "Leads", Key: []string{"id"}, Cursor: "modified", Modes: both},
		{Name: "Deals", Key: []string{"id"}, Modes: both[:1]},
	}
	r.store.syncs["out"] = Sync{Name: "out", Connection: "conn", Inbound: &InboundSpec{Streams: []StreamSpec{{Name: "Leads"}, {Name: "Deals"}}}}
	return r
}

func rows(stream string, identifiers ...string) *connector.RecordBatch {
	return &connector.RecordBatch{
		Schema: &connector.Schema{ID: stream, Columns: []connector.Column{{Name: "id", Type: connector.Type{Kind: connector.KindString}}}},
		Stream: stream, Rows: len(identifiers), AppIdentifiers: identifiers, Columns: []connector.Values{{Texts: identifiers}},
	}
}

// read answers each stream asked for with a function.
func read(do func(ctx context.Context, selection connector.StreamSelection, stream connector.InboundStream) error) func(context.Context, connector.InboundSync, connector.InboundStream) error {
	return func(ctx context.Context, sync connector.InboundSync, stream connector.InboundStream) error {
		for _, selection := range sync.Streams {
			if err := do(ctx, selection, stream); err != nil {
				return err
			}
		}
		return nil
	}
}

func wantStreams(t *testing.T, run Run, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, s := range run.Streams {
		got[s.Stream] = fmt.Sprintf("%d rows, done %v", s.Counts.Rows, s.Done)
		if s.Error != nil {
			got[s.Stream] += ": " + s.Error.Message
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
}

func TestStreamsAreReadFromTheirCursors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newInboundRig(t)
		r.warehouse.cursors["Leads"], r.warehouse.cursors["Deals"] = `"old"`, `"stale"`
		asked := map[string]connector.StreamSelection{}
		r.script.inbound = read(func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			asked[s.Name] = s
			return errors.Join(
				stream.Append(ctx, rows(s.Name, "1", "2")),
				stream.Delete(ctx, connector.Tombstones{Stream: s.Name, AppIdentifiers: []string{"9"}}),
				stream.Checkpoint(ctx, connector.Checkpoint{Stream: s.Name, State: `"mid"`}),
				stream.Append(ctx, rows(s.Name, "3")),
				stream.Done(ctx, connector.StreamDone{Stream: s.Name, State: `"end"`}))
		})
		run := mustRun(t, r, RunOptions{})
		if run.State != RunHealthy || run.FinishedAt.IsZero() {
			t.Errorf("run = %+v", run)
		}
		wantStreams(t, run, map[string]string{"Leads": "3 rows, done true", "Deals": "3 rows, done true"})
		want := map[string]connector.StreamSelection{
			"Leads": {Name: "Leads", Mode: connector.ReadIncremental, State: `"old"`},
			"Deals": {Name: "Deals", Mode: connector.ReadFullRefresh},
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if got := r.warehouse.cursors; got["Leads"] != `"end"` || got["Deals"] != `"end"` {
			t.Errorf("cursors = %v", got)
		}
		target := r.warehouse.tables["Leads"].target
		if target.Table != "out.Leads" || target.Storage != StorageMerge || target.FullRefresh || target.RunID != run.ID {
			t.Errorf("target = %+v", target)
		}
	})
}

func TestAFailingStreamFailsAlone(t *testing.T) {
	readAll := func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
		if err := stream.Append(ctx, rows(s.Name, "1")); err != nil {
			return nil // the connector gives this stream up
		}
		return stream.Done(ctx, connector.StreamDone{Stream: s.Name, State: `1`})
	}
	for name, row := range map[string]struct {
		leads func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error
		says  string
	}{
		"because the app says so": {func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			return errors.Join(stream.Append(ctx, rows(s.Name, "1")),
				stream.Done(ctx, connector.StreamDone{Stream: s.Name, Error: connector.Errorf(connector.ClassPermission, "NO", "no permission")}))
		}, "no permission"},
		"because the warehouse refuses it": {nil, "receiving rows of stream Leads: disk full"},
		"because rows trail without a state": {func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			return stream.Append(ctx, rows(s.Name, "1"))
		}, "1 rows of stream \"Leads\" after the last checkpoint without a state"},
		"because it never ends": {func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			return errors.Join(stream.Append(ctx, rows(s.Name, "1")), stream.Checkpoint(ctx, connector.Checkpoint{Stream: s.Name, State: "1"}))
		}, "without ending stream \"Leads\""},
		"because its state is no JSON": {func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			_ = stream.Done(ctx, connector.StreamDone{Stream: s.Name, State: "{"})
			return nil
		}, "no JSON text"},
		"because a batch is misshapen": {func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			batch := rows(s.Name, "1")
			batch.Rows = 2
			_ = stream.Append(ctx, batch)
			return nil
		}, "app identifiers for 2 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newInboundRig(t)
				if row.leads == nil {
					r.warehouse.broken["Leads"] = errors.New("disk full")
				}
				r.script.inbound = read(func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
					if s.Name == "Leads" && row.leads != nil {
						return row.leads(ctx, s, stream)
					}
					return readAll(ctx, s, stream)
				})
				run := mustRun(t, r, RunOptions{})
				if run.State != RunIncomplete {
					t.Errorf("state = %s, want Incomplete", run.State)
				}
				if got := run.Streams[0].Error; got == nil || !strings.Contains(got.Message, row.says) {
					t.Errorf("error = %v, want %q", got, row.says)
				}
				if !run.Streams[1].Done {
					t.Error("the other stream was not read")
				}
			})
		})
	}
}

func TestAStreamNotAskedForIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newInboundRig(t)
		r.script.inbound = read(func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			if err := stream.Append(ctx, rows("Secrets", "1")); err == nil {
				t.Error("rows of another stream were taken")
			}
			return stream.Done(ctx, connector.StreamDone{Stream: s.Name, State: `1`})
		})
		run := mustRun(t, r, RunOptions{})
		if run.State != RunIncomplete || run.Error == nil || !strings.Contains(run.Error.Message, `"Secrets"`) {
			t.Errorf("%s: %v", run.State, run.Error)
		}
	})
}

// TestACrashLosesNoRow crashes the host at every durable step of a run that
// reads two streams in three pieces each, one in full, one by cursor.
func TestACrashLosesNoRow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		crashed := 0
		for at := 1; at <= 30; at++ {
			for _, after := range []bool{false, true} {
				if crashAndResume(t, at, after) {
					crashed++
				}
			}
		}
		if crashed < 20 {
			t.Errorf("only %d of the tries crashed", crashed)
		}
	})
}

func crashAndResume(t *testing.T, at int, after bool) (crashed bool) {
	t.Helper()
	r := newInboundRig(t)
	// Rows of an earlier run: one is gone from the app since.
	r.warehouse.tables["Deals"] = &fakeTable{rows: map[string]string{"gone": "r0", "1": "r0"}, deleted: map[string]bool{}}
	r.warehouse.cursors["Deals"] = `3`
	r.script.inbound = read(pieces)
	r.machine.reboot(at, after)
	run, err := r.Run(t.Context(), "out", RunOptions{})
	crashed = r.machine.crashed
	if err == nil && crashed && run.State == RunHealthy {
		t.Errorf("step %d: the crash went unnoticed", at)
	}
	r.machine.reboot(0, false)
	r.restart(t)
	if _, err := r.Run(t.Context(), "out", RunOptions{}); err != nil {
		t.Fatalf("step %d: %v", at, err)
	}
	for _, stream := range []string{"Leads", "Deals"} {
		table := r.warehouse.tables[stream]
		got := slices.Sorted(maps.Keys(table.rows))
		got = slices.DeleteFunc(got, func(id string) bool { return table.deleted[id] })
		if want := []string{"1", "2", "3"}; !slices.Equal(got, want) {
			t.Errorf("step %d (after %v): %s has %v, want %v", at, after, stream, got, want)
		}
	}
	return crashed
}

// pieces reads rows 1, 2 and 3, each followed by a checkpoint; the cursor is the
// number of the last row.
func pieces(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
	begin := 0
	if s.State != "" {
		if _, err := fmt.Sscan(s.State, &begin); err != nil {
			return err
		}
	}
	for i := begin + 1; i <= 3; i++ {
		if err := stream.Append(ctx, rows(s.Name, fmt.Sprint(i))); err != nil {
			return err
		}
		if err := stream.Checkpoint(ctx, connector.Checkpoint{Stream: s.Name, State: fmt.Sprint(i)}); err != nil {
			return err
		}
	}
	return stream.Done(ctx, connector.StreamDone{Stream: s.Name, State: "3"})
}

func TestADeadConnectorGoesOnFromItsCheckpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newInboundRig(t)
		died := false
		var states []string
		r.script.inbound = read(func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			if s.Name == "Deals" {
				states = append(states, s.State)
			}
			if s.Name == "Deals" && !died {
				died = true
				return errors.Join(stream.Append(ctx, rows("Deals", "1")),
					stream.Checkpoint(ctx, connector.Checkpoint{Stream: "Deals", State: "1"}),
					stream.Append(ctx, rows("Deals", "2")), connector.Errorf(connector.ClassTransient, "GONE", "gone"))
			}
			return pieces(ctx, s, stream)
		})
		run := mustRun(t, r, RunOptions{})
		if run.State != RunHealthy || r.script.launches != 2 {
			t.Errorf("%s after %d launches: %v", run.State, r.script.launches, run.Error)
		}
		wantStreams(t, run, map[string]string{"Leads": "3 rows, done true", "Deals": "3 rows, done true"})
		if diff := cmp.Diff([]string{"", "1"}, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

func TestACancelledReadGoesOnAtTheNextRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newInboundRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		r.script.inbound = func(ctx context.Context, sync connector.InboundSync, stream connector.InboundStream) error {
			err := errors.Join(stream.Append(ctx, rows("Leads", "1")), stream.Checkpoint(ctx, connector.Checkpoint{Stream: "Leads", State: "1"}))
			cancel()
			<-stream.Stop()
			return err
		}
		run, err := r.Run(ctx, "out", RunOptions{})
		if err != nil || run.State != RunDelayed || run.Error.Code != "CANCELLED" {
			t.Fatalf("%+v, %v", run, err)
		}
		wantStreams(t, run, map[string]string{"Leads": "1 rows, done false", "Deals": "0 rows, done false"})
		var states []string
		r.script.inbound = read(func(ctx context.Context, s connector.StreamSelection, stream connector.InboundStream) error {
			states = append(states, s.State)
			return pieces(ctx, s, stream)
		})
		if run := mustRun(t, r, RunOptions{}); run.State != RunHealthy {
			t.Errorf("%s: %v", run.State, run.Error)
		}
		if diff := cmp.Diff([]string{"1", ""}, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

func TestAResyncForgetsTheCursors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newInboundRig(t)
		r.warehouse.cursors["Leads"] = "3"
		r.script.inbound = read(pieces)
		wantStreams(t, mustRun(t, r, RunOptions{Resync: true}), map[string]string{"Leads": "3 rows, done true", "Deals": "3 rows, done true"})
	})
}

func TestDefaultTablesAreQuotedWhereNeedBe(t *testing.T) {
	t.Parallel()
	if got, want := defaultTable("zoho-in", `Odd"Name`), `"zoho-in"."Odd""Name"`; got != want {
		t.Errorf("defaultTable = %s, want %s", got, want)
	}
}

func TestACancelReachesTheListingOfStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newInboundRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		r.script.listing = func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}
		run, err := r.Run(ctx, "out", RunOptions{})
		if err != nil || run.State != RunDelayed || run.Error.Code != "CANCELLED" || !run.Open() {
			t.Errorf("%s, %v: %v", run.State, run.Error, err)
		}
	})
}
