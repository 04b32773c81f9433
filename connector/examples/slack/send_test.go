package slack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/examples/slack/slackfake"
)

// host is what a run needs of one: it hands out texts and notes what it hears.
type host struct {
	mu      sync.Mutex
	texts   []string
	heard   map[int64]string // "SUCCEEDED", or status and code
	keys    map[int64]string
	tickets []connector.TicketState
}

func newHost(texts ...string) *host {
	return &host{texts: texts, heard: map[int64]string{}, keys: map[int64]string{}}
}

func (h *host) Report(context.Context, connector.Report) {}
func (h *host) Stop() <-chan connector.Stop              { return nil }
func (h *host) Grant(context.Context, connector.GrantRequest) (connector.Grant, error) {
	return connector.Grant{Unlimited: true}, nil
}

func (h *host) Ticket(_ context.Context, t connector.Ticket) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tickets = append(h.tickets, t.State)
	return nil
}

func (h *host) Next(context.Context) (*connector.RecordBatch, error) {
	if h.texts == nil {
		return nil, io.EOF
	}
	b := &connector.RecordBatch{
		Schema: &connector.Schema{ID: "s", Columns: []connector.Column{{Name: textColumn, Type: connector.Type{Kind: connector.KindString}}}},
		Action: connector.ActionSend, Rows: len(h.texts), Columns: []connector.Values{{Texts: h.texts}},
	}
	for i := range h.texts {
		b.Seqs, b.Identifiers = append(b.Seqs, int64(i+1)), append(b.Identifiers, fmt.Sprint(i+1))
	}
	h.texts = nil
	return b, nil
}

func (h *host) Settle(_ context.Context, o connector.Outcomes) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, seq := range o.Seqs {
		h.heard[seq] = "SUCCEEDED"
		if i < len(o.AppIdentifiers) {
			h.keys[seq] = o.AppIdentifiers[i]
		}
	}
	for _, x := range o.Exceptions {
		h.heard[o.Seqs[x.Row]] = string(x.Status) + " " + x.Error.Code
	}
	return nil
}

func send(t *testing.T, connection connector.Connection, h *host) error {
	t.Helper()
	return open(t, connection).SyncOutbound(t.Context(), connector.OutboundSync{
		Strategy: connector.StrategySend, Answers: connector.Answers{fieldChannel: {"C0SALES"}}, KeepsTickets: true,
	}, h)
}

func TestMessagesArriveInOrder(t *testing.T) {
	t.Parallel()
	fake, connection := workspace(t, slackfake.Config{})
	h := newHost("one & <two>", "zwei", "三")
	if err := send(t, connection, h); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, m := range fake.Messages() {
		got = append(got, m.Text)
		if key := h.keys[int64(i+1)]; key != "C0SALES/"+m.TS {
			t.Errorf("message %d is called %q", i+1, key)
		}
	}
	if want := []string{"one & <two>", "zwei", "三"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	p, d := connector.TicketPrepared, connector.TicketDone
	if want := []connector.TicketState{p, d, p, d, p, d}; !slices.Equal(h.tickets, want) {
		t.Errorf("tickets: %v, want one for each message", h.tickets)
	}
}

func TestWhatBecomesOfARecordWhenSlackFails(t *testing.T) {
	t.Parallel()
	const method = "chat.postMessage"
	for name, c := range map[string]struct {
		fault  slackfake.Fault
		want   string
		posted int // of the three messages
		failed bool
	}{
		"an answer that got lost":            {slackfake.Fault{Method: method, Late: true, Hangup: true}, "IN_DOUBT NETWORK", 3, false},
		"a connection that broke":            {slackfake.Fault{Method: method, Hangup: true}, "IN_DOUBT NETWORK", 2, false},
		"a failure behind Slack's door":      {slackfake.Fault{Method: method, Status: http.StatusBadGateway}, "IN_DOUBT HTTP_STATUS", 2, false},
		"an error after the deed":            {slackfake.Fault{Method: method, Late: true, Code: "fatal_error"}, "IN_DOUBT FATAL_ERROR", 3, false},
		"a pace that was too fast":           {slackfake.Fault{Method: method, Status: http.StatusTooManyRequests}, "SUCCEEDED", 3, false},
		"a limit that Slack names at 200":    {slackfake.Fault{Method: method, Code: "ratelimited"}, "RETRY RATELIMITED", 2, false},
		"a request cut short":                {slackfake.Fault{Method: method, Code: "request_timeout"}, "RETRY REQUEST_TIMEOUT", 2, false},
		"a message it will not have":         {slackfake.Fault{Method: method, Code: "msg_too_long"}, "REJECTED MSG_TOO_LONG", 2, false},
		"a code that nobody knows":           {slackfake.Fault{Method: method, Code: "moon_is_full"}, "REJECTED MOON_IS_FULL", 2, false},
		"a token that was revoked meanwhile": {slackfake.Fault{Method: method, Code: "token_revoked"}, "DELAYED TOKEN_REVOKED", 0, true},
		"a channel the bot was put out of":   {slackfake.Fault{Method: method, Code: "not_in_channel"}, "DELAYED NOT_IN_CHANNEL", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, connection := workspace(t, slackfake.Config{})
			fake.Break(c.fault)
			h := newHost("one", "two", "three")
			err := send(t, connection, h)
			if (err != nil) != c.failed || h.heard[1] != c.want {
				t.Errorf("record 1 is %s, error %v; want %s", h.heard[1], err, c.want)
			}
			if n := len(fake.Messages()); n != c.posted {
				t.Errorf("%d messages were posted, want %d", n, c.posted)
			}
			if !c.failed && (h.heard[2] != "SUCCEEDED" || h.heard[3] != "SUCCEEDED") {
				t.Errorf("the others: %v", h.heard)
			}
		})
	}
}

func TestAHostThatCannotBeReachedLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	fake, connection := workspace(t, slackfake.Config{})
	s := open(t, connection)
	s.base.Host = "127.0.0.1:1" // nobody listens there
	c := connection
	c.Answers = connector.Answers{fieldEndpoint: {"http://127.0.0.1:1/api"}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // no time for another try
	defer cancel()
	_, err := open(t, c).call(ctx, "auth.test", nil, &struct{}{})
	if err == nil || !certain(err) || connector.ClassOf(err) != connector.ClassTransient {
		t.Errorf("certain = %v: %v", certain(err), err)
	}
	_, err = s.call(t.Context(), "auth.test", nil, &struct{}{})
	if connector.ClassOf(err) != connector.ClassConfig || !certain(err) || fake.Calls("auth.test") != 0 {
		t.Errorf("a host that was not declared: %v", err)
	}
}

func TestAChannelIsLookedAtBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	fake, connection := workspace(t, slackfake.Config{})
	fake.Archive("C0SALES")
	h := newHost("one")
	err := send(t, connection, h)
	if e := connector.AsError(err); e == nil || e.Code != "IS_ARCHIVED" || len(e.Fields) != 1 || e.Fields[0].Field != fieldChannel {
		t.Errorf("got %v", err)
	}
	if h.texts == nil || len(h.heard) > 0 {
		t.Error("records were taken")
	}
}

func TestOneMessageASecond(t *testing.T) {
	t.Parallel()
	fake, connection := workspace(t, slackfake.Config{Pace: 900 * time.Millisecond})
	connection.Limits = connector.Limits{} // the connector's own
	h := newHost("one", "two")
	if err := send(t, connection, h); err != nil {
		t.Fatal(err)
	}
	if fake.Calls("chat.postMessage") != 2 || len(fake.Messages()) != 2 {
		t.Errorf("%d calls for %d messages: the pace was not kept", fake.Calls("chat.postMessage"), len(fake.Messages()))
	}
}

func TestTextsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	_, connection := workspace(t, slackfake.Config{})
	s := open(t, connection)
	h := newHost("", strings.Repeat("é", maxText), strings.Repeat("é", maxText+1))
	batch, _ := h.Next(t.Context())
	found, err := s.ValidateRecords(t.Context(), connector.OutboundSync{}, batch)
	if err != nil || len(found) != 2 || found[0].Row != 0 || found[0].Error.Code != "NO_TEXT" || found[1].Row != 2 || found[1].Error.Code != "MSG_TOO_LONG" {
		t.Errorf("got %v, %v", found, err)
	}
}
