package replay

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
	"github.com/sluiceio/sluice/connector/recording"
)

// Run replays a recording with a connector, and fails the test for everything
// that differs: an outcome, a row, a state, a request. There is no network, and
// waits take no time: the connector runs on a fake clock that begins at the time
// of the recording. So it must not have started goroutines or timers before it is
// handed over, and must end its own when its session is closed.
func Run(t *testing.T, c connector.Connector, folder string) {
	t.Helper()
	conversations, err := recording.ReadConversations(filepath.Join(folder, recording.ConversationFile))
	if err != nil {
		t.Fatal(err)
	}
	exchanges, err := recording.ReadExchanges(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Logf("if the connector is meant to do so, record anew: sluice record SYNC --to %s", folder)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(conversations[0].About.StartedAt))
		player := recording.NewPlayer(exchanges)
		ctx := egress.WithTap(t.Context(), player.Tap)
		var differences []string
		for _, conversation := range conversations {
			differences = append(differences, play(ctx, t, c, conversation)...)
		}
		for _, difference := range append(player.Differences(), differences...) { // causes first
			t.Error(difference)
		}
	})
}

// play goes through one conversation, in a session of its own, and returns how it
// differs.
func play(ctx context.Context, t *testing.T, c connector.Connector, conversation *recording.Conversation) []string {
	session, err := c.Open(ctx, conversation.Connection)
	if err != nil {
		t.Fatalf("opening the recorded connection: %v", err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Errorf("closing the session: %v", err)
		}
	}()
	differences, err := conversation.Play(ctx, session, nil)
	if err != nil {
		t.Error(err)
	}
	return differences
}
