package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/examples/slack/slackfake"
)

func TestConnectSaysWhoAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, connection := workspace(t, slackfake.Config{Scopes: []string{"chat:write", "channels:read"}})
	got, err := open(t, connection).Connect(t.Context(), connector.Authorization{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Account != "Fake Workspace as sluice" || got.Parameters.Get("team_id") != "T0FAKE" {
		t.Errorf("got %+v", got)
	}
	if len(got.Notices) != 1 || !strings.Contains(got.Notices[0], "groups:read") {
		t.Errorf("notices: %q", got.Notices)
	}
	// What needs the scope fails, and says so.
	_, err = open(t, connection).Options(t.Context(), connector.OptionsRequest{Source: sourceChannels})
	if e := connector.AsError(err); e == nil || e.Class != connector.ClassPermission || !strings.Contains(e.Message, "groups:read") {
		t.Errorf("listing channels: %v", err)
	}
}

func TestARefusedTokenIsAnAuthErrorWithoutTheToken(t *testing.T) {
	t.Parallel()
	_, connection := workspace(t, slackfake.Config{})
	connection.Secrets = connector.Answers{fieldToken: {"xoxb-somebody-elses"}}
	_, err := open(t, connection).Connect(t.Context(), connector.Authorization{})
	if connector.ClassOf(err) != connector.ClassAuth || strings.Contains(err.Error(), "somebody") {
		t.Errorf("got %v", err)
	}
}

// many channels are more than a page.
func many(n int) []slackfake.Channel {
	channels := make([]slackfake.Channel, n)
	for i := range channels {
		channels[i] = slackfake.Channel{ID: fmt.Sprintf("C%04d", i), Name: fmt.Sprintf("room-%d", i), Member: true}
	}
	return channels
}

func TestChannelsAreListedAndSearchedOverAllPages(t *testing.T) {
	t.Parallel()
	fake, connection := workspace(t, slackfake.Config{Channels: many(450)})
	s := open(t, connection)
	list := func(search string, size int) (values []string) {
		r := connector.OptionsRequest{Source: sourceChannels, Search: search, PageSize: size}
		for {
			page, err := s.Options(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Options {
				values = append(values, o.Value)
			}
			if r.PageToken = page.NextPageToken; r.PageToken == "" {
				return values
			}
		}
	}
	if got := list("", 0); len(got) != 450 || fake.Calls("conversations.list") != 3 {
		t.Errorf("%d channels in %d calls", len(got), fake.Calls("conversations.list"))
	}
	if got, want := list("ROOM-44", 100), []string{"C0044", "C0440", "C0441", "C0442", "C0443", "C0444", "C0445", "C0446", "C0447", "C0448", "C0449"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// reader receives a stream.
type reader struct {
	*host
	ids    []string
	states []string
	done   connector.StreamDone
	drop   int // rows until the host is gone, 0 for never
}

func (r *reader) Append(_ context.Context, b *connector.RecordBatch) error {
	r.ids = append(r.ids, b.AppIdentifiers...)
	return nil
}

func (r *reader) Delete(context.Context, connector.Tombstones) error { return nil }

func (r *reader) Checkpoint(_ context.Context, c connector.Checkpoint) error {
	r.states = append(r.states, c.State)
	if r.drop > 0 && len(r.ids) >= r.drop {
		return connector.Errorf(connector.ClassInternal, "GONE", "the host is gone")
	}
	return nil
}

func (r *reader) Done(_ context.Context, d connector.StreamDone) error { r.done = d; return nil }

func read(t *testing.T, connection connector.Connection, state string, r *reader) {
	t.Helper()
	err := open(t, connection).SyncInbound(t.Context(), connector.InboundSync{
		Streams: []connector.StreamSelection{{Name: streamChannels, Mode: connector.ReadFullRefresh, State: state}},
	}, r)
	if err != nil && r.drop == 0 {
		t.Fatal(err)
	}
}

func TestAReadGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	_, connection := workspace(t, slackfake.Config{Channels: many(450)})
	first := &reader{host: newHost(), drop: 200}
	read(t, connection, "", first)
	if len(first.ids) != 200 || len(first.states) != 1 {
		t.Fatalf("%d rows, states %q", len(first.ids), first.states)
	}
	second := &reader{host: newHost()}
	read(t, connection, first.states[0], second)
	if len(second.ids) != 250 || second.ids[0] != "C0200" || second.done.Error != nil || second.done.State != "{}" {
		t.Errorf("%d rows, then %+v", len(second.ids), second.done)
	}
	// A cursor that Slack no longer knows begins anew.
	third := &reader{host: newHost()}
	read(t, connection, `{"cursor":"long ago"}`, third)
	if len(third.ids) != 450 || third.done.Error != nil {
		t.Errorf("%d rows, then %+v", len(third.ids), third.done)
	}
}

// TestTheTableIsInTheContractsWords checks every row of the table of codes.
func TestTheTableIsInTheContractsWords(t *testing.T) {
	t.Parallel()
	for code, m := range meanings {
		e := refused("a.method", code, "")
		if !slices.Contains(connector.Classes, e.Class) || e.Code != strings.ToUpper(code) {
			t.Errorf("%s: %+v", code, e)
		}
		if m.unsure == certain(e) || m.unsure && m.class != connector.ClassTransient {
			t.Errorf("%s: certain is %v", code, certain(e))
		}
		if needsUser := m.class == connector.ClassAuth || m.class == connector.ClassPermission || m.class == connector.ClassConfig; needsUser && m.help == "" {
			t.Errorf("%s: the user is to act, and is not told how", code)
		}
	}
}
