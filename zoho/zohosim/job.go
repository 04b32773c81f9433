package zohosim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"
)

// job is a bulk write or bulk read job. Its work runs once: in a goroutine when it is due, or at the poll that finds
// it due, whichever comes first.
type job struct {
	id      string
	write   *writeJob // one of the two
	readJob *readJob
	created time.Time
	due     time.Time
	polls   int // run at this poll; 0: by time
	stuck   bool
	doomed  *apiError // fails with this when it runs
	notify  *callback
	base    string

	mu       sync.Mutex
	polled   int
	started  bool
	done     bool
	failed   *apiError
	finished time.Time
	result   string // path of the zip
}

type jobBook struct {
	mu    sync.Mutex
	byID  map[string]*job
	order []*job
}

// callback is what a job request asks to be told.
type callback struct {
	URL    string `json:"url"`
	Method string `json:"method"`
}

func (cb *callback) check() *apiError {
	if cb == nil {
		return nil
	}
	u, err := url.Parse(cb.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return bad("INVALID_CALLBACK_URL", "invalid callback url")
	}
	if cb.Method != "post" {
		return bad("INVALID_CALLBACK_METHOD", "invalid callback method").with(struct {
			Methods []string `json:"supported_callback_methods"`
		}{[]string{"post"}})
	}
	return nil
}

func (b *jobBook) get(id string) *job {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byID[id]
}

func (b *jobBook) all() []*job {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*job(nil), b.order...)
}

func (b *jobBook) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.byID)
	b.order = nil
}

// mayBegin refuses a job by the limits some read into Zoho's pages: of the edition, of jobs at once and of jobs a day.
func (c *call) mayBegin() *apiError {
	v := c.conf.Variants
	if v.BulkNeedsPaid && slices.Contains([]string{"free", "starter", "standard"}, c.conf.Edition) {
		return bad("FEATURE_NOT_ENABLED", "the feature is not enabled for your edition")
	}
	if v.OpenJobs == 0 && v.DailyJobs == 0 {
		return nil
	}
	open, today := 0, 0
	for _, j := range c.sim.jobs.all() {
		if ph := j.phase(c.now); ph != phaseDone && ph != phaseFailed {
			open++
		}
		if c.now.Sub(j.created) < 24*time.Hour {
			today++
		}
	}
	if v.OpenJobs > 0 && open >= v.OpenJobs || v.DailyJobs > 0 && today >= v.DailyJobs {
		c.sim.log.count(func(n *Counters) { n.ThrottledJobs++ })
		return c.conf.errTooMany()
	}
	return nil
}

// hasResult tells whether a failed job left a result file.
func (j *job) hasResult() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.result != ""
}

// startJob registers a job and lets it run when due.
func (c *call) startJob(j *job) {
	s := c.sim
	j.id, j.created, j.base = s.store.freshID(), c.now, c.base()
	j.due, j.polls = c.now.Add(c.conf.JobDuration), c.conf.JobPolls
	j.stuck = c.struck(ActionStuckJob)
	if c.struck(ActionFailJob) && j.doomed == nil {
		j.doomed = errInternal()
		if j.readJob != nil {
			j.doomed = &apiError{code: "INTERNAL_SERVER_ERROR", message: "Internal server error occurred."}
		}
	}
	s.jobs.mu.Lock()
	s.jobs.byID[j.id] = j
	s.jobs.order = append(s.jobs.order, j)
	s.jobs.mu.Unlock()
	if j.stuck || j.polls > 0 {
		return
	}
	s.spawn(func() {
		if s.waitUntil(j.due) {
			s.run(j)
		}
	})
}

// waitUntil waits for the simulator's clock, which may jump, to reach t; false means the simulator closes.
func (s *Sim) waitUntil(t time.Time) bool {
	const glance = 100 * time.Millisecond
	for {
		d := t.Sub(s.Now())
		if d <= 0 {
			return s.closing.Err() == nil
		}
		timer := time.NewTimer(min(d, glance))
		select {
		case <-timer.C:
		case <-s.closing.Done():
			timer.Stop()
			return false
		}
	}
}

// run does the job's work unless somebody else has begun it.
func (s *Sim) run(j *job) {
	j.mu.Lock()
	begun := j.started
	j.started = true
	j.mu.Unlock()
	if begun {
		return
	}
	var path string
	err := j.doomed
	if err != nil && j.write != nil && j.write.conf.Variants.FailedJob == "result" {
		path = s.unprocessed(j)
	}
	if err == nil {
		if j.write != nil {
			path, err = s.runWrite(j)
		} else {
			path, err = s.runRead(j)
		}
	}
	j.mu.Lock()
	j.done, j.failed, j.result, j.finished = true, err, path, s.Now()
	j.mu.Unlock()
	if j.notify != nil {
		s.spawn(func() { s.call(j) })
	}
}

// phase is how far a job is, as a client may see it.
type phase int

const (
	phaseAdded phase = iota
	phaseQueued
	phaseRunning
	phaseDone
	phaseFailed
)

// look counts a status poll, runs the job when that makes it due, and tells its phase.
func (s *Sim) look(j *job) phase {
	now := s.Now()
	j.mu.Lock()
	j.polled++
	due := !j.stuck && !j.started && (j.polls > 0 && j.polled >= j.polls || j.polls == 0 && !now.Before(j.due))
	j.mu.Unlock()
	if due {
		s.run(j)
	}
	return j.phase(now)
}

func (j *job) phase(now time.Time) phase {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.failed != nil:
		return phaseFailed
	case j.done:
		return phaseDone
	case j.started:
		return phaseRunning
	}
	part := 1.0
	if j.polls > 0 {
		part = float64(j.polled-1) / float64(j.polls)
	} else if total := j.due.Sub(j.created); total > 0 {
		part = float64(now.Sub(j.created)) / float64(total)
	}
	switch {
	case part < 0.25:
		return phaseAdded
	case part < 0.5:
		return phaseQueued
	}
	return phaseRunning
}

// call posts the job's details to its callback URL. A callback that fails is not repeated: nothing says Zoho does.
func (s *Sim) call(j *job) {
	var body any
	if j.write != nil {
		body = s.writeStatus(j, j.phase(s.Now()))
	} else {
		body = s.readStatus(j, j.phase(s.Now()))
	}
	b, err := json.Marshal(body)
	if err != nil {
		return
	}
	req, err := http.NewRequestWithContext(s.closing, http.MethodPost, j.notify.URL, bytes.NewReader(b))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.conf.Load().Callback.Do(req)
	if err == nil {
		_ = resp.Body.Close() // the answer does not matter
	}
}

// resultFile is the path of a finished job's zip, or an error once it is gone.
func (j *job) resultFile(c *call, keep time.Duration) (string, *apiError) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.done || j.result == "" {
		return "", errNoResource()
	}
	if c.now.Sub(j.finished) >= keep {
		_ = os.Remove(j.result) // Close removes the directory anyway
		e := errNoResource()
		e.http = c.conf.Variants.ExpiredStatus
		return "", e
	}
	return j.result, nil
}

func errNoResource() *apiError {
	return fail(http.StatusNotFound, "RESOURCE_NOT_FOUND", "The requested resource doesn't exist.").with(struct {
		Resource string `json:"resource"`
	}{"job"})
}
