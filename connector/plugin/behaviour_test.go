package plugin

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/sluiceio/sluice/connector"
)

// TestMain lets the test binary be the connector that tests launch.
func TestMain(m *testing.M) {
	if os.Getenv(CookieKey) == CookieValue {
		if slices.Contains(os.Args, sceneArgument) {
			os.Exit(Main(&scenes{}))
		}
		os.Exit(Main(&fake{}))
	}
	if os.Getenv(hostEnv) != "" {
		os.Exit(beHost())
	}
	goleak.VerifyTestMain(m)
}

// launched starts this test binary as a connector.
func launched(t *testing.T) *Process {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Launch(t.Context(), LaunchConfig{Path: path, Env: []string{"GORACE=atexit_sleep_ms=0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func inProcess(t *testing.T) *Process {
	t.Helper()
	p, err := InProcess(&fake{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// everywhere runs a test of behaviour over every way a connector can be reached.
func everywhere(t *testing.T, test func(t *testing.T, c connector.Connector)) {
	t.Run("direct", func(t *testing.T) { t.Parallel(); test(t, &fake{}) })
	overWire(t, test)
}

// overWire runs a test of what only holds where messages are.
func overWire(t *testing.T, test func(t *testing.T, c connector.Connector)) {
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, inProcess(t)) })
	t.Run("process", func(t *testing.T) { t.Parallel(); test(t, launched(t)) })
}

func open(t *testing.T, c connector.Connector, mode string) connector.Session {
	t.Helper()
	s, err := c.Open(t.Context(), connection(mode))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func connection(mode string) connector.Connection {
	return connector.Connection{Method: "key", Answers: connector.Answers{"mode": {mode}}, Secrets: connector.Answers{"key": {"s3cret"}}}
}

func outboundSync() connector.OutboundSync {
	return connector.OutboundSync{
		SyncID: "s", RunID: "r", Strategy: connector.StrategyUpsert,
		Mapping: []connector.MappedField{{Name: "Last_Name", Type: connector.Type{Kind: connector.KindString}}, {Name: "Amount", Type: connector.Type{Kind: connector.KindDecimal}}},
	}
}

func wantError(t *testing.T, err error, class connector.Class, code string) *connector.Error {
	t.Helper()
	e := connector.AsError(err)
	if e == nil || e.Class != class || e.Code != code {
		t.Fatalf("got error %v (%+v), want class %s and code %s", err, e, class, code)
	}
	return e
}

func TestUnaryCallsAnswerAlikeEverywhere(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		ctx := t.Context()
		m, err := c.Manifest(ctx)
		want, _ := (&fake{}).Manifest(ctx)
		if diff := cmp.Diff(want, m, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("manifest: %v\n%s", err, diff)
		}
		form, err := c.ConnectionForm(ctx, connector.Answers{"region": {"eu"}})
		if err != nil || form.Methods[0].Label != "With a key for eu" {
			t.Errorf("got form %+v, %v", form, err)
		}
		s := open(t, c, "")
		f, err := s.(connector.Outbound).OutboundForm(ctx, connector.FormRequest{Strategy: "Upsert"})
		if err != nil || f.Mapper.Fields.Label != "Upsert" {
			t.Errorf("got form %+v, %v", f, err)
		}
		page, err := s.(connector.OptionLister).Options(ctx, connector.OptionsRequest{Source: "fields", Direction: connector.DirectionOutbound, Strategy: "Upsert"})
		if err != nil || page.NextPageToken != "2" || page.Options[0].Metadata["max_length"] != "100" {
			t.Errorf("got options %+v, %v", page, err)
		}
		findings, err := s.(connector.RecordValidator).ValidateRecords(ctx, outboundSync(), leads(1, 3))
		if err != nil || len(findings) != 1 || findings[0].Row != 2 {
			t.Errorf("got findings %+v, %v", findings, err)
		}
		paths, err := s.(connector.CostEstimator).OutboundCosts(ctx, outboundSync(), []connector.ActionCount{{Action: connector.ActionCreate, Records: 7}})
		if err != nil || len(paths) != 1 || paths[0].Units("credits") != 7 {
			t.Errorf("got paths %+v, %v", paths, err)
		}
		streams, err := s.(connector.Inbound).Streams(ctx, connector.StreamQuery{Names: []string{"b", "a"}})
		if err != nil || len(streams) != 2 || streams[0].Name != "b" {
			t.Errorf("got streams %+v, %v", streams, err)
		}
	})
}

func TestErrorsOfCallsCrossWhole(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		s := open(t, c, "auth")
		_, err := s.Connect(t.Context(), connector.Authorization{})
		e := wantError(t, err, connector.ClassAuth, "INVALID_TOKEN")
		want := []connector.Help{{Description: "log in again", URL: "https://example.com/login"}}
		if diff := cmp.Diff(want, e.Help); diff != "" {
			t.Error(diff)
		}
		_, err = open(t, c, "").(connector.OptionLister).Options(t.Context(), connector.OptionsRequest{Source: "x", Direction: connector.DirectionInbound})
		wantError(t, err, connector.ClassConfig, "UNKNOWN_SOURCE")
	})
}

func TestAddressesAreAskedWithoutSecrets(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		got, err := c.NetworkAddresses(t.Context(), connection(""))
		if err != nil || len(got) != 1 || got[0].Host != "api.example.com" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestABadAnswerNamesItsFieldAtTheFirstCall(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		_, err := open(t, c, "refused").Limits(t.Context())
		e := wantError(t, err, connector.ClassConfig, "BAD_KEY")
		if len(e.Fields) != 1 || e.Fields[0].Field != "key" {
			t.Errorf("got fields %v", e.Fields)
		}
	})
}

func TestAMissingCapabilityIsUnimplemented(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		s := open(t, c, "plain")
		_, err := s.(connector.Outbound).OutboundForm(t.Context(), connector.FormRequest{Strategy: "Upsert"})
		wantError(t, err, connector.ClassConfig, codeUnimplemented)
		err = s.(connector.Inbound).SyncInbound(t.Context(), inboundSync("a"), &tables{})
		wantError(t, err, connector.ClassConfig, codeUnimplemented)
	})
}

func TestAPanicIsAnErrorThatShowsNoContent(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		_, err := open(t, c, "panic").Connect(t.Context(), connector.Authorization{})
		e := wantError(t, err, connector.ClassInternal, "PANIC")
		if strings.Contains(e.Message, "secret-content") {
			t.Errorf("the error shows what was panicked with: %v", e)
		}
		err = open(t, c, "panic").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), newOutbox(1, 3))
		e = wantError(t, err, connector.ClassInternal, "PANIC")
		if !strings.Contains(e.Message, "index out of range") || !strings.Contains(e.Message, "apply") {
			t.Errorf("the error names neither the fault nor its place: %v", e)
		}
		if _, err := open(t, c, "").Connect(t.Context(), connector.Authorization{}); err != nil {
			t.Errorf("the connector did not survive: %v", err)
		}
	})
}

func TestSessionsStayOpenBetweenCalls(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		account := func(mode, secret string) string {
			conn := connection(mode)
			conn.Secrets["key"] = []string{secret}
			s, err := c.Open(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel() // the session's own context must not end with a call's
			got, err := s.Connect(ctx, connector.Authorization{})
			if err != nil {
				t.Fatal(err)
			}
			return got.Account
		}
		first := account("", "a")
		if again := account("", "a"); again != first {
			t.Errorf("got %q, then %q for the same connection", first, again)
		}
		if other := account("", "b"); other == first {
			t.Errorf("another secret got the same session %q", other)
		}
	})
}

func TestOutboundSettlesEveryRecordOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		o := newOutbox(40, 50)
		err := open(t, c, "").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.settled) != 2000 {
			t.Fatalf("%d of 2000 records are settled", len(o.settled))
		}
		for seq, status := range o.settled {
			want := connector.StatusSucceeded
			if seq%7 == 0 {
				want = connector.StatusRejected
			}
			if status != want || o.apps[seq] != "id-"+itoa(seq) {
				t.Fatalf("record %d is %s as %q", seq, status, o.apps[seq])
			}
		}
	})
}

func TestTheContextOfASyncCarriesItsHost(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		if err := open(t, c, "host").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), newOutbox(1, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestTicketsWaitForTheJournalAndEndAfterOutcomes(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		o := newOutbox(3, 5)
		about := outboundSync()
		about.KeepsTickets = true
		if err := open(t, c, "ticket").(connector.Outbound).SyncOutbound(t.Context(), about, o); err != nil {
			t.Fatal(err)
		}
		round := []string{"PREPARED", "SUBMITTED", "settle", "DONE"}
		want := append(append(append([]string{}, round...), round...), round...)
		if diff := cmp.Diff(want, o.log); diff != "" {
			t.Error(diff)
		}
	})
}

func TestGrantsAndUsageArrive(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		o := newOutbox(4, 5)
		about := outboundSync()
		about.KeepsLedger = true
		if err := open(t, c, "grant").(connector.Outbound).SyncOutbound(t.Context(), about, o); err != nil {
			t.Fatal(err)
		}
		var units int64
		for _, u := range o.usage {
			units += u.Units
		}
		if o.grants != 4 || units != 20 {
			t.Errorf("got %d grants and %d units of usage, want 4 and 20", o.grants, units)
		}
	})
}

func TestHandedBackRecordsComeFirstAndTicketsEnd(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		o := newOutbox(2, 5)
		o.batch = func(i int) *connector.RecordBatch {
			b := leads(i*5+1, 5)
			if i == 0 {
				b.Ticket = "old"
			}
			return b
		}
		about := outboundSync()
		about.KeepsTickets = true
		about.Tickets = []connector.Ticket{
			{ID: "old", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 1, Last: 5}}},
			{ID: "empty", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 100, Last: 105}}},
		}
		if err := open(t, c, "").(connector.Outbound).SyncOutbound(t.Context(), about, o); err != nil {
			t.Fatal(err)
		}
		if len(o.settled) != 10 {
			t.Errorf("%d of 10 records are settled", len(o.settled))
		}
	})
}

func TestDefectsOfTheConnectorAreInternalErrors(t *testing.T) {
	for mode, code := range map[string]string{"forget": "UNSETTLED", "invent": "UNKNOWN_SEQ"} {
		t.Run(mode, func(t *testing.T) {
			overWire(t, func(t *testing.T, c connector.Connector) {
				err := open(t, c, mode).(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), newOutbox(3, 4))
				e := wantError(t, err, connector.ClassInternal, code)
				if mode == "forget" && !strings.Contains(e.Message, "12") {
					t.Errorf("the error does not count: %v", e)
				}
			})
		})
	}
}

func TestAnErrorOfTheWholeSyncCrosses(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		err := open(t, c, "fail").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), newOutbox(3, 4))
		wantError(t, err, connector.ClassQuotaExhausted, "SPENT")
	})
}

func inboundSync(streams ...string) connector.InboundSync {
	s := connector.InboundSync{SyncID: "s", RunID: "r", StartedAt: time.Unix(1e9, 0).UTC(), AcksCheckpoints: true}
	for _, name := range streams {
		s.Streams = append(s.Streams, connector.StreamSelection{Name: name, Mode: connector.ReadFullRefresh})
	}
	return s
}

func TestInboundArrivesInOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		var got tables
		if err := open(t, c, "").(connector.Inbound).SyncInbound(t.Context(), inboundSync("a", "b"), &got); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, name := range []string{"a", "b"} {
			want = append(want, name+" rows [9007199254740993 ] nulls [1]", name+` checkpoint {"page":1}`, name+" deletes [7] true", name+` done {"page":2}`)
		}
		if diff := cmp.Diff(want, got.log); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAStreamWithoutRowsShowsItsColumns(t *testing.T) {
	everywhere(t, func(t *testing.T, c connector.Connector) {
		var got tables
		if err := open(t, c, "empty").(connector.Inbound).SyncInbound(t.Context(), inboundSync("a", "b"), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a rows [] nulls []", "a done ", "b rows [] nulls []", "b done "}, got.log); diff != "" {
			t.Error(diff)
		}
	})
}

func TestInboundDefectsAreLoud(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		err := open(t, c, "trailing").(connector.Inbound).SyncInbound(t.Context(), inboundSync("a"), &tables{})
		if e := connector.AsError(err); e == nil || e.Class != connector.ClassInternal || !strings.Contains(e.Message, "a") {
			t.Errorf("rows without a state: %v", err)
		}
		err = open(t, c, "after the end").(connector.Inbound).SyncInbound(t.Context(), inboundSync("a"), &tables{})
		wantError(t, err, connector.ClassInternal, "STREAM_ENDED")
	})
}
