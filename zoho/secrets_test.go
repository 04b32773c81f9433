package zoho

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

type safeText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Logs, errors, tickets, states and progress hold no secret and no record's
// content, whatever happens.
func TestNothingConfidentialIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var log safeText
	w.connector = New(WithPolling(time.Millisecond, 20*time.Millisecond), WithTempDir(t.TempDir()),
		WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	w.connect()
	header := []string{"Last_Name", "Company", "External_Key", "No_of_Employees", "Email"}
	rows := [][]string{
		{"Confidential", "Confidential", "Confidential-1", "5", "a@confidential.example"}, {"Confidential", "Confidential", "Confidential-2", "Confidential", ""},
		{"", "Confidential", "Confidential-3", "", ""}, {"Confidential", "Confidential", "Confidential-4", "", "confidential"},
	}
	said := &strings.Builder{}
	for _, path := range []string{pathBulk, pathRecords} {
		out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
		w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), header), out)
		if got := out.count(); got[connector.StatusSucceeded] != 1 {
			t.Errorf("outcomes %v", got)
		}
		for _, o := range out.outcomes {
			fmt.Fprintln(said, o.err, o.detail)
		}
		fmt.Fprintln(said, out.tickets, out.progress)
	}
	in := newIn(t)
	w.read("Leads", connector.ReadIncremental, "", w.sim.Now().Add(time.Minute), in)
	fmt.Fprintln(said, in.checkpoints, in.progress)
	if err := w.sim.Fault(zohosim.Fault{Match: zohosim.Match{PathPattern: "/(modules|upload)$"}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 403}}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(said, w.run(syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), header), newOut(t)))
	if !strings.Contains(log.String(), "/crm/") {
		t.Fatalf("the log says nothing: %q", log.String())
	}
	for where, text := range map[string]string{"the log": log.String(), "what was told": said.String()} {
		for _, secret := range []string{w.sim.ClientSecret(), w.sim.RefreshToken(), w.connection.Secrets.Get(keptAccessToken), "onfidential"} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s holds a secret near %q", where, text[max(0, i-80):min(len(text), i+10)])
			}
		}
	}
}
