package plugin

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) })
}

func TestTicketsMoveForwardOnly(t *testing.T) {
	prepared, submitted, done := connector.TicketPrepared, connector.TicketSubmitted, connector.TicketDone
	tests := map[string]struct {
		steps []connector.TicketState
		holds bool
	}{
		"the usual":                  {[]connector.TicketState{prepared, submitted, done}, true},
		"prepared again":             {[]connector.TicketState{prepared, prepared, submitted, submitted, done}, true},
		"given up":                   {[]connector.TicketState{prepared, done}, true},
		"never prepared":             {[]connector.TicketState{submitted}, false},
		"backwards":                  {[]connector.TicketState{prepared, submitted, prepared}, false},
		"after its end":              {[]connector.TicketState{prepared, done, submitted}, false},
		"a second life":              {[]connector.TicketState{prepared, done, prepared}, true},
		"ended without having begun": {[]connector.TicketState{done}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := newOutboundLaws(nil)
			var err error
			for _, state := range test.steps {
				if err == nil {
					err = l.ticket(connector.Ticket{ID: "t", State: state})
				}
			}
			if (err == nil) != test.holds {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestATicketEndsAfterItsRecords(t *testing.T) {
	l := newOutboundLaws([]connector.Ticket{{ID: "old", State: connector.TicketSubmitted}})
	if err := l.take(leads(1, 10)); err != nil {
		t.Fatal(err)
	}
	if err := l.settle([]int64{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	early := connector.Ticket{ID: "old", State: connector.TicketDone, Seqs: []connector.SeqRange{{First: 1, Last: 4}}}
	wantError(t, l.ticket(early), connector.ClassInternal, "TICKET_ORDER")
	early.Seqs[0].Last = 3
	if err := l.ticket(early); err != nil {
		t.Error(err)
	}
	if l.broke() == nil {
		t.Error("a breach is forgotten")
	}
}

func TestRecordsAreTakenAndSettledOnce(t *testing.T) {
	l := newOutboundLaws(nil)
	if err := l.take(leads(60, 10)); err != nil {
		t.Fatal(err)
	}
	wantError(t, l.take(leads(69, 1)), connector.ClassConfig, "CONTRACT")
	l = newOutboundLaws(nil)
	_ = l.take(leads(60, 10))
	if _, err := l.end(); connector.AsError(err) == nil || !strings.Contains(err.Error(), "10") {
		t.Errorf("ten open records: %v", err)
	}
	l = newOutboundLaws(nil)
	_ = l.take(leads(60, 3))
	wantError(t, l.settle([]int64{60, 60}), connector.ClassInternal, "UNKNOWN_SEQ")
}

// FuzzSeqSet compares the set with a map.
func FuzzSeqSet(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 3, 0, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		set, model := newSeqSet(), map[int64]bool{}
		for i, b := range script {
			seq := int64(b)*37 - 4000 // negative ones too
			if i%3 == 2 {
				_, ok := set.remove([]int64{seq})
				if ok != model[seq] {
					t.Fatalf("removing %d: %v", seq, ok)
				}
				delete(model, seq)
				continue
			}
			if model[seq] {
				continue // a breach, after which a set is not used
			}
			if _, ok := set.add([]int64{seq}); !ok {
				t.Fatalf("adding %d failed", seq)
			}
			model[seq] = true
			r := connector.SeqRange{First: seq - 50, Last: seq - 1}
			want := false
			for n := r.First; n <= r.Last; n++ {
				want = want || model[n]
			}
			if set.any(r) != want {
				t.Fatalf("any of %v is not %v", r, want)
			}
		}
		all := set.sorted()
		if len(all) != len(model) || set.n != int64(len(model)) || slices.ContainsFunc(all, func(n int64) bool { return !model[n] }) {
			t.Fatalf("got %v, want %v", all, model)
		}
	})
}
