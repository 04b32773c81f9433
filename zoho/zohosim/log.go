package zohosim

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Request is one entry of the request log. It holds no headers and no bodies, so no secrets.
type Request struct {
	// Time is the simulator's time of arrival.
	Time time.Time `json:"time"`
	// Method and Path as sent, slashes collapsed; Query without tokens, codes and secrets.
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	// Route is the endpoint's pattern, empty when none matched.
	Route string `json:"route,omitempty"`
	// Status is the HTTP status, Code Zoho's error code, Credits what the call cost.
	Status  int    `json:"status"`
	Code    string `json:"code,omitempty"`
	Credits int    `json:"credits"`
	// Fault names the faults that struck the call.
	Fault string `json:"fault,omitempty"`
	// Took is the handling time.
	Took time.Duration `json:"took_ns"`
}

// Counters are exact totals since the start or the last reset.
type Counters struct {
	// Requests counts calls by route; calls without a route are under "unmatched".
	Requests map[string]int `json:"requests"`
	// Status counts answers by HTTP status.
	Status map[int]int `json:"status"`
	// TokenMints and TokenFailures count answers of the token endpoint, Throttled... the refusals by cause.
	TokenMints           int `json:"token_mints"`
	TokenFailures        int `json:"token_failures"`
	ThrottledTokens      int `json:"throttled_tokens"`
	ThrottledCredits     int `json:"throttled_credits"`
	ThrottledConcurrency int `json:"throttled_concurrency"`
	ThrottledDownloads   int `json:"throttled_downloads"`
	ThrottledJobs        int `json:"throttled_jobs"`
	// Uploads, BulkWriteJobs and BulkReadJobs count what was created, Downloads the results fetched.
	Uploads       int `json:"uploads"`
	BulkWriteJobs int `json:"bulk_write_jobs"`
	BulkReadJobs  int `json:"bulk_read_jobs"`
	Downloads     int `json:"downloads"`
	// Workflows counts records that automation was fired for: those of record calls without an empty trigger, and with
	// the variant of that name those of bulk write.
	Workflows int `json:"workflows"`
	// Faults counts faults that struck, by action.
	Faults map[string]int `json:"faults"`
	// PeakConcurrency and PeakHeavy are the most calls, and heavy calls, in flight at once.
	PeakConcurrency int `json:"peak_concurrency"`
	PeakHeavy       int `json:"peak_heavy"`
}

type requestLog struct {
	mu       sync.Mutex
	ring     []Request
	next     int
	counters Counters
	jobs     []time.Time
	tokens   map[string]listToken // page tokens of record lists
}

func (l *requestLog) init(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring = make([]Request, 0, size)
	l.clear()
}

func (l *requestLog) clear() {
	l.ring, l.next, l.jobs, l.tokens = l.ring[:0], 0, nil, nil
	l.counters = Counters{Requests: map[string]int{}, Status: map[int]int{}, Faults: map[string]int{}}
}

func (l *requestLog) count(f func(*Counters)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.counters)
}

func (l *requestLog) jobCreated(at time.Time, f func(*Counters)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = append(l.jobs, at)
	f(&l.counters)
}

func (l *requestLog) add(c *call, rep *reply, started time.Time) {
	e := Request{Time: c.now, Method: c.r.Method, Path: c.path, Query: redact(c), Status: rep.status, Code: rep.code, Credits: c.spent, Took: time.Since(started)}
	route := "unmatched"
	if c.route != nil {
		e.Route, route = c.route.name, c.route.name
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counters.Requests[route]++
	l.counters.Status[rep.status]++
	for i, f := range c.faults {
		if i > 0 {
			e.Fault += "+"
		}
		e.Fault += string(f.Action.Kind)
		l.counters.Faults[string(f.Action.Kind)]++
	}
	if len(l.ring) < cap(l.ring) {
		l.ring = append(l.ring, e)
		return
	}
	l.ring[l.next] = e
	l.next = (l.next + 1) % len(l.ring)
}

// redact removes what must not be logged from the query.
func redact(c *call) string {
	if len(c.query) == 0 {
		return ""
	}
	q := maps.Clone(c.query)
	for _, name := range []string{"client_secret", "refresh_token", "token", "code", "access_token"} {
		if q.Has(name) {
			q[name] = []string{"REDACTED"}
		}
	}
	return q.Encode()
}

// RequestLog returns the latest requests, oldest first, at most Config.RequestLogSize.
func (s *Sim) RequestLog() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return append(slices.Clone(s.log.ring[s.log.next:]), s.log.ring[:s.log.next]...)
}

// Counters returns the exact totals.
func (s *Sim) Counters() Counters {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	c := s.log.counters
	c.Requests, c.Status, c.Faults = maps.Clone(c.Requests), maps.Clone(c.Status), maps.Clone(c.Faults)
	c.PeakConcurrency, c.PeakHeavy = s.gauge.peaks()
	return c
}

// JobCreations returns when each bulk job, write or read, was created, in order.
func (s *Sim) JobCreations() []time.Time {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.jobs)
}

// Credits returns the state of the credit ledger.
func (s *Sim) Credits() Credits {
	own, total := s.conf.Load().credits()
	spent, ever := s.ledger.spent(s.Now())
	return Credits{Limit: total, Own: own, Spent: spent, Remaining: max(total-spent, 0), SpentEver: ever}
}
