package zoho

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// What Zoho's pages say in several ways about tokens is a setting of the
// simulator, not a variant: how long a grant code and a token last, and how many
// tokens of a grant are alive at once.

// TestTokensThatEndEachOther runs twelve sessions at once that share a grant, of
// which fewer tokens may be alive: a mint ends the oldest, and all arrive.
func TestTokensThatEndEachOther(t *testing.T) {
	t.Parallel()
	for _, alive := range []int{10, 15, 30} { // each of them is on one of Zoho's pages
		t.Run(fmt.Sprint(alive, " alive"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *zohosim.Config) {
				c.MaxActiveTokens, c.DisableTokenThrottle, c.DisableDownloadLimit = alive, true, true
			})
			const runs, each = 12, 20
			outs := make([]*fakeOut, runs)
			var all sync.WaitGroup
			for i := range runs {
				outs[i] = newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1+i*each, each)...))
				s := w.open()
				all.Go(func() {
					answers := upsertAnswers([]string{pathBulk, pathRecords, pathAuto}[i%3])
					if err := s.SyncOutbound(t.Context(), syncFor(connector.StrategyUpsert, answers, leadHeader), outs[i]); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for _, out := range outs {
				out.want(connector.StatusSucceeded, each)
			}
			for id, n := range w.sim.WritesPerRecord("Leads") {
				if n != 1 {
					t.Errorf("%s was written %d times", id, n)
				}
			}
			if n := w.sim.Count("Leads"); n != runs*each {
				t.Errorf("%d leads", n)
			}
		})
	}
}

// TestAGrantCodeThatIsTooOld asks for a new one in words, whatever its lifetime.
func TestAGrantCodeThatIsTooOld(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{time.Minute, 2 * time.Minute, 10 * time.Minute} {
		w := newWorld(t, func(c *zohosim.Config) { c.GrantLifetime = life })
		delete(w.connection.Secrets, keptRefreshToken)
		w.connection.Secrets[fieldGrantCode] = []string{w.sim.NewGrantCode("")}
		w.sim.AdvanceClock(life)
		_, err := w.open().Connect(t.Context(), connector.Authorization{})
		if e := connector.AsError(err); e == nil || e.Code != "INVALID_CODE" || e.Class != connector.ClassAuth || len(e.Help) == 0 {
			t.Errorf("after %s: %v", life, err)
		}
		w.connection.Secrets[fieldGrantCode] = []string{w.sim.NewGrantCode("")}
		w.sim.AdvanceClock(life - time.Second)
		if _, err := w.open().Connect(t.Context(), connector.Authorization{}); err != nil {
			t.Errorf("within %s: %v", life, err)
		}
	}
}
