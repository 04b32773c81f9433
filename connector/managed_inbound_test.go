package connector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

func inboundOf(names ...string) connector.InboundSync {
	var s connector.InboundSync
	for _, n := range names {
		s.Streams = append(s.Streams, connector.StreamSelection{Name: n})
	}
	return s
}

func TestAStreamThatFailsFailsAlone(t *testing.T) {
	host := newInboundHost()
	managed := connector.ManagedInbound{Read: func(ctx context.Context, s connector.StreamSelection, out *connector.StreamWriter) (string, error) {
		if connector.HostFrom(ctx) == nil || len(out.Sync().Streams) != 4 {
			t.Error("the context carries no host, or the writer not the sync")
		}
		if err := out.Begin(people.Columns); err != nil {
			return "", err
		}
		if err := out.Row(ctx, "a1", []string{"x", "y"}, nil); err != nil {
			return "", err
		}
		switch s.Name {
		case "broken":
			return `{"never":1}`, connector.Errorf(connector.ClassSchemaChanged, "FIELD_GONE", "a field is gone")
		case "panicking":
			panic("row x")
		case "plain":
			return "", errors.New("something")
		}
		return `{"at":1}`, nil
	}}
	if err := managed.Run(t.Context(), inboundOf("broken", "panicking", "plain", "good"), host); err != nil {
		t.Fatal(err)
	}
	codes := map[string]string{}
	for name, d := range host.done {
		codes[name] = d.State
		if d.Error != nil {
			codes[name] += d.Error.Code
		}
	}
	if diff := cmp.Diff(map[string]string{"broken": "FIELD_GONE", "panicking": "PANIC", "plain": "INTERNAL", "good": `{"at":1}`}, codes); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
	if m := host.done["panicking"].Error.Message; strings.Contains(m, "row x") || !strings.Contains(m, "managed_inbound") && !strings.Contains(m, "connector_test.") {
		t.Errorf("the panic is told as %q", m)
	}
	if diff := cmp.Diff([]string{"1 rows of good#1", "done"}, host.said["good"]); diff != "" {
		t.Errorf("the good stream (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"done"}, host.said["broken"]); diff != "" {
		t.Errorf("rows of a stream that failed were sent at its end (-want +got):\n%s", diff)
	}
}

func TestARefusedLoginEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newInboundHost()
		refused := connector.Errorf(connector.ClassAuth, "INVALID_TOKEN", "the login was refused")
		managed := connector.ManagedInbound{Concurrency: 2, Read: func(ctx context.Context, s connector.StreamSelection, _ *connector.StreamWriter) (string, error) {
			switch s.Name {
			case "a":
				<-ctx.Done()
				return "", ctx.Err()
			case "b":
				<-time.After(time.Second)
				return "", refused
			}
			t.Errorf("stream %s was begun after the login was refused", s.Name)
			return "", nil
		}}
		if err := managed.Run(t.Context(), inboundOf("a", "b", "c"), host); !errors.Is(err, refused) {
			t.Errorf("Run returned %v", err)
		}
		for _, name := range []string{"a", "b", "c"} {
			if e := host.done[name].Error; e == nil || e.Code != "INVALID_TOKEN" {
				t.Errorf("stream %s ended with %v, want the reason", name, e)
			}
		}
	})
}

func TestStreamsAreReadAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		var names []string
		for i := range 12 {
			names = append(names, fmt.Sprint("s", i))
		}
		host := newInboundHost()
		managed := connector.ManagedInbound{Read: func(context.Context, connector.StreamSelection, *connector.StreamWriter) (string, error) {
			most.Store(max(most.Load(), now.Add(1)))
			<-time.After(time.Hour)
			now.Add(-1)
			return "{}", nil
		}}
		began := time.Now()
		if err := managed.Run(t.Context(), inboundOf(names...), host); err != nil {
			t.Fatal(err)
		}
		if most.Load() != 5 || time.Since(began) != 3*time.Hour || len(host.done) != 12 {
			t.Errorf("%d streams at once, %v, %d ended", most.Load(), time.Since(began), len(host.done))
		}
	})
}

func TestStopsOfInboundRuns(t *testing.T) {
	for name, c := range map[string]struct {
		mode   connector.StopMode
		in     time.Duration
		want   []string
		atMost time.Duration
		code   string
	}{
		"a drain ends at the next checkpoint": {connector.StopDrain, 10 * time.Hour, []string{"1 rows of s#1", `checkpoint {"page":1}`, "done"}, time.Hour, "STOPPED"},
		"a drain ends before its deadline":    {connector.StopDrain, time.Minute, []string{"done"}, time.Minute, "STOPPED"},
		"now ends at once":                    {connector.StopNow, time.Minute, []string{"done"}, 0, "STOPPED"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := newInboundHost()
				managed := connector.ManagedInbound{Concurrency: 1, Read: func(ctx context.Context, s connector.StreamSelection, out *connector.StreamWriter) (string, error) {
					if s.Name == "late" {
						t.Error("a stream was begun after the stop")
					}
					_ = out.Begin(people.Columns)
					for page := 1; ; page++ {
						if err := out.Row(ctx, "", []string{"x", "y"}, nil); err != nil {
							return "", err
						}
						select {
						case <-time.After(time.Hour):
						case <-ctx.Done():
							return "", ctx.Err()
						}
						if err := out.Checkpoint(ctx, fmt.Sprintf(`{"page":%d}`, page)); err != nil {
							return "", err
						}
					}
				}}
				over := make(chan error, 1)
				go func() { over <- managed.Run(t.Context(), inboundOf("s", "late"), host) }()
				synctest.Wait()
				began := time.Now()
				host.ask(c.mode, c.in)
				if err := <-over; err != nil {
					t.Errorf("Run returned %v", err)
				}
				if took := time.Since(began); took > c.atMost {
					t.Errorf("it took %v, at most %v allowed", took, c.atMost)
				}
				if diff := cmp.Diff(c.want, host.said["s"]); diff != "" {
					t.Errorf("the stream (-want +got):\n%s", diff)
				}
				for name, d := range host.done {
					if d.Error == nil || d.Error.Class != connector.ClassCancelled || d.Error.Code != c.code {
						t.Errorf("stream %s ended with %v", name, d.Error)
					}
				}
			})
		})
	}
}

func TestACancelledCallIsAnError(t *testing.T) {
	host := newInboundHost()
	ctx, cancel := context.WithCancel(t.Context())
	managed := connector.ManagedInbound{Read: func(ctx context.Context, _ connector.StreamSelection, _ *connector.StreamWriter) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}}
	if err := managed.Run(ctx, inboundOf("s"), host); connector.ClassOf(err) != connector.ClassCancelled {
		t.Errorf("Run returned %v", err)
	}
	if len(host.done) != 1 {
		t.Error("the stream's end was not told")
	}
}

// write runs one stream through a writer.
func write(t *testing.T, host *inboundHost, read func(context.Context, *connector.StreamWriter) error) connector.StreamDone {
	t.Helper()
	managed := connector.ManagedInbound{Read: func(ctx context.Context, _ connector.StreamSelection, out *connector.StreamWriter) (string, error) {
		return `"end"`, read(ctx, out)
	}}
	if err := managed.Run(t.Context(), inboundOf("s"), host); err != nil {
		t.Fatal(err)
	}
	return host.done["s"]
}

func TestRowsAreGatheredIntoColumns(t *testing.T) {
	host := newInboundHost()
	done := write(t, host, func(ctx context.Context, out *connector.StreamWriter) error {
		_ = out.Begin(people.Columns)
		texts := make([]string, 2)
		for i := range 25_000 {
			texts[0], texts[1] = fmt.Sprint("n", i), "kept" // the slice is reused
			if err := out.Row(ctx, fmt.Sprint("a", i), texts, func(c int) bool { return c == 1 && i%2 == 0 }); err != nil {
				return err
			}
		}
		return nil
	})
	if done.Error != nil || done.State != `"end"` {
		t.Fatalf("ended with %+v", done)
	}
	row := 0
	for _, b := range host.batches {
		if b.Rows > 10_000 || b.Stream != "s" || b.Rows != len(b.AppIdentifiers) {
			t.Fatalf("a batch of %d rows of %q", b.Rows, b.Stream)
		}
		for i := range b.Rows {
			null, city := row%2 == 0, "kept"
			if null {
				city = ""
			}
			if b.Columns[0].Texts[i] != fmt.Sprint("n", row) || b.Columns[1].Texts[i] != city || b.Columns[1].IsNull(i) != null || b.AppIdentifiers[i] != fmt.Sprint("a", row) {
				t.Fatalf("row %d holds %q, %q", row, b.Columns[0].Texts[i], b.Columns[1].Texts[i])
			}
			row++
		}
	}
	if row != 25_000 {
		t.Errorf("%d rows arrived", row)
	}
}

func TestABatchIsSentAtAMebibyte(t *testing.T) {
	host := newInboundHost()
	write(t, host, func(ctx context.Context, out *connector.StreamWriter) error {
		_ = out.Begin(people.Columns[:1])
		for range 9 {
			if err := out.Row(ctx, "", []string{strings.Repeat("x", 256<<10)}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if want := []string{"4 rows of s#1", "4 rows of s#1", "1 rows of s#1", "done"}; !slices.Equal(host.said["s"], want) {
		t.Errorf("got %v, want %v", host.said["s"], want)
	}
	if host.batches[0].AppIdentifiers != nil {
		t.Error("a stream without key has app identifiers")
	}
}

func TestTheOrderOfAStreamIsKept(t *testing.T) {
	host := newInboundHost()
	write(t, host, func(ctx context.Context, out *connector.StreamWriter) error {
		_ = out.Begin(people.Columns)
		_ = out.Row(ctx, "1", []string{"a", "b"}, nil)
		_ = out.Begin(people.Columns) // the same again
		_ = out.Row(ctx, "2", []string{"a", "b"}, nil)
		_ = out.Begin(people.Columns[:1])
		_ = out.Row(ctx, "3", []string{"a"}, nil)
		_ = out.Delete(ctx, connector.Tombstones{AppIdentifiers: make([]string, 10_001), DeletedAt: make([]time.Time, 10_001)})
		_ = out.Delete(ctx, connector.Tombstones{})
		_ = out.Row(ctx, "4", []string{"a"}, nil)
		return out.Checkpoint(ctx, `"c"`)
	})
	want := []string{"2 rows of s#1", "1 rows of s#2", "10000 gone", "1 gone", "1 rows of s#2", `checkpoint "c"`, "done"}
	if diff := cmp.Diff(want, host.said["s"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAStreamWithoutRowsShowsItsColumns(t *testing.T) {
	host := newInboundHost()
	write(t, host, func(ctx context.Context, out *connector.StreamWriter) error {
		_ = out.Begin(people.Columns)
		return out.Checkpoint(ctx, `"c"`)
	})
	if diff := cmp.Diff([]string{"0 rows of s#1", `checkpoint "c"`, "done"}, host.said["s"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMisuseOfAWriterIsAnError(t *testing.T) {
	for name, misuse := range map[string]func(context.Context, *connector.StreamWriter) error{
		"a row before the columns": func(ctx context.Context, out *connector.StreamWriter) error {
			return out.Row(ctx, "", []string{"a"}, nil)
		},
		"a row of another width": func(ctx context.Context, out *connector.StreamWriter) error {
			_ = out.Begin(people.Columns)
			return out.Row(ctx, "", []string{"a"}, nil)
		},
		"no columns": func(_ context.Context, out *connector.StreamWriter) error { return out.Begin(nil) },
		"a time too few": func(ctx context.Context, out *connector.StreamWriter) error {
			return out.Delete(ctx, connector.Tombstones{AppIdentifiers: []string{"1", "2"}, DeletedAt: make([]time.Time, 1)})
		},
	} {
		if e := write(t, newInboundHost(), misuse).Error; e == nil || e.Class != connector.ClassInternal {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// TestNothingFollowsAFailedSend: a checkpoint after rows that did not arrive
// would let the cursor pass them.
func TestNothingFollowsAFailedSend(t *testing.T) {
	host := newInboundHost()
	done := write(t, host, func(ctx context.Context, out *connector.StreamWriter) error {
		_ = out.Begin(people.Columns)
		_ = out.Row(ctx, "1", []string{"a", "b"}, nil)
		broken, cancel := context.WithCancel(ctx)
		cancel()
		if err := out.Flush(broken); err == nil {
			t.Error("rows were sent although the context had ended")
		}
		if err := out.Row(ctx, "2", []string{"a", "b"}, nil); err == nil {
			t.Error("a row was taken after a failure")
		}
		if err := out.Checkpoint(ctx, `"c"`); err == nil {
			t.Error("a checkpoint passed rows that did not arrive")
		}
		return nil // the mistake of ignoring all this
	})
	if done.Error == nil || !slices.Equal(host.said["s"], []string{"done"}) {
		t.Errorf("ended with %+v after %v", done, host.said["s"])
	}
}

func TestProgressNamesTheStream(t *testing.T) {
	host := newInboundHost()
	until := time.Now()
	write(t, host, func(_ context.Context, out *connector.StreamWriter) error {
		out.Progress("polling job 7", connector.WaitingApp, until, 5, 10)
		return nil
	})
	want := &connector.Progress{Stream: "s", Activity: "polling job 7", Waiting: connector.WaitingApp, Until: until, Done: 5, Total: 10}
	if diff := cmp.Diff(want, host.reports[0].Progress); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
