package zoho

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// asked says when the result of a job is asked for.
type asked chan struct{}

func (d asked) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/result") {
		d <- struct{}{}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// wait waits for some results to be asked for, in vain for ten seconds at most.
func (d asked) wait(n int) bool {
	for range n {
		select {
		case <-d:
		case <-time.After(10 * time.Second):
			return false
		}
	}
	return true
}

// pagesOf makes a world with 180 leads in pages of 50.
func pagesOf(t *testing.T, more ...Option) (w *world, temp string) {
	w = newWorld(t, func(c *zohosim.Config) { c.PageRows = 50; c.DisableDownloadLimit = true })
	temp = t.TempDir()
	w.connector = New(append(append(quick(t), WithTempDir(temp)), more...)...)
	if err := w.sim.Generate("Leads", 180, 5); err != nil {
		t.Fatal(err)
	}
	w.sim.AdvanceClock(time.Minute)
	return w, temp
}

// atPage reports whether a state is the one written when the rows before a page are
// durable.
func atPage(state, page string) bool {
	return strings.Contains(state, `"page":`+page+`,`) && !strings.Contains(state, `"job"`)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

// While the host makes a page durable, the next is created, awaited and downloaded: a
// host that waits for that download before it acknowledges the page is not waited for.
func TestTheNextPageIsFetchedDuringACheckpoint(t *testing.T) {
	t.Parallel()
	results := make(asked, 10)
	w, temp := pagesOf(t, WithTransport(results))
	in := newIn(t)
	seen, met := 0, 0
	in.onState = func(state string) {
		for page, text := range []string{2: "2", 3: "3", 4: "4"} {
			if text == "" || !atPage(state, text) {
				continue
			}
			if results.wait(page - seen) {
				met++
			}
			seen = page
		}
	}
	done := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in)
	if done.Error != nil || len(in.rows["Leads"]) != 180 || met != 3 {
		t.Errorf("%v, %d rows, %d pages fetched ahead", done.Error, len(in.rows["Leads"]), met)
	}
	if c := w.sim.Counters(); c.BulkReadJobs != 4 {
		t.Errorf("%d jobs for 4 pages", c.BulkReadJobs)
	}
	empty(t, temp)
}

// A run that ends in good order pays for no job that the next does not use.
func TestADrainKeepsTheNextPagesJob(t *testing.T) {
	t.Parallel()
	results := make(asked, 10)
	w, temp := pagesOf(t, WithTransport(results))
	in := newIn(t)
	in.stop = make(chan connector.Stop)
	in.onState = func(state string) {
		if atPage(state, "2") {
			in.stop <- connector.Stop{Mode: connector.StopDrain}
			results.wait(2)
		}
	}
	if done := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in); connector.ClassOf(done.Error) != connector.ClassCancelled {
		t.Fatalf("the read ended with %v", done.Error)
	}
	empty(t, temp)
	states := in.checkpoints["Leads"]
	last := states[len(states)-1]
	if !strings.Contains(last, `"job"`) {
		t.Errorf("the last state names no job: %s", last)
	}
	rest := newIn(t)
	if done := w.read("Leads", connector.ReadFullRefresh, last, w.sim.Now(), rest); done.Error != nil || len(in.rows["Leads"])+len(rest.rows["Leads"]) != 180 {
		t.Errorf("%v, %d and %d rows", done.Error, len(in.rows["Leads"]), len(rest.rows["Leads"]))
	}
	if c := w.sim.Counters(); c.BulkReadJobs != 4 {
		t.Errorf("%d jobs for 4 pages", c.BulkReadJobs)
	}
}

// What goes wrong ahead is put right as what goes wrong in its turn.
func TestFaultsOfTheNextPage(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]zohosim.Fault{
		"the job failed":          {Match: zohosim.Match{Method: "POST", PathPattern: `/read$`, Nth: 2}, Action: zohosim.Action{Kind: zohosim.ActionFailJob}},
		"the creation was lost":   {Match: zohosim.Match{Method: "POST", PathPattern: `/read$`, Nth: 2}, Action: zohosim.Action{Kind: zohosim.ActionDropAfter}},
		"the result is torn":      {Match: zohosim.Match{PathPattern: `/result$`, Nth: 2}, Action: zohosim.Action{Kind: zohosim.ActionTornFile}},
		"the result is damaged":   {Match: zohosim.Match{PathPattern: `/result$`, Nth: 2}, Action: zohosim.Action{Kind: zohosim.ActionCorruptFile}},
		"the download was early":  {Match: zohosim.Match{PathPattern: `/result$`, Nth: 2}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429}},
		"the token is not valid":  {Match: zohosim.Match{PathPattern: `/result$`, Nth: 2}, Action: zohosim.Action{Kind: zohosim.ActionRevokeToken}},
		"the status is not there": {Match: zohosim.Match{PathPattern: `/read/[0-9]+$`, Nth: 2}, Action: zohosim.Action{Kind: zohosim.ActionDropBefore}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, temp := pagesOf(t)
			if err := w.sim.Fault(fault); err != nil {
				t.Fatal(err)
			}
			in := newIn(t)
			if done := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in); done.Error != nil || len(in.rows["Leads"]) != 180 {
				t.Errorf("%v, %d rows", done.Error, len(in.rows["Leads"]))
			}
			empty(t, temp)
		})
	}
}
