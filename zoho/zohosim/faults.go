package zohosim

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Fault makes calls go wrong: which calls, and how.
type Fault struct {
	// Name is for the reader of the fault list; optional.
	Name string `json:"name,omitempty"`
	// Match chooses the calls.
	Match Match `json:"match"`
	// Action is what happens to them.
	Action Action `json:"action"`
}

// Match chooses calls. All set conditions must hold; the zero value matches every call of the API and of the accounts
// server.
type Match struct {
	// Method is an HTTP method; empty is any.
	Method string `json:"method,omitempty"`
	// PathPattern is a regular expression found anywhere in the path, slashes collapsed; empty is any.
	PathPattern string `json:"path,omitempty"`
	// Nth strikes only the nth matching call, counted from 1.
	Nth int `json:"nth,omitempty"`
	// After spares the first matching calls.
	After int `json:"after,omitempty"`
	// Count strikes at most so many calls; 0 is no bound.
	Count int `json:"count,omitempty"`
	// Probability strikes with this chance, drawn from the seeded source; 0 is always.
	Probability float64 `json:"probability,omitempty"`
}

// ActionKind names what a fault does.
type ActionKind string

// The actions.
const (
	// ActionStatus answers Status with Body instead of doing anything.
	ActionStatus ActionKind = "status"
	// ActionStatusAfter does everything and then answers Status with Body: a lost answer behind a gateway error.
	ActionStatusAfter ActionKind = "status_after"
	// ActionDropBefore closes the connection before anything is done.
	ActionDropBefore ActionKind = "drop_before"
	// ActionDropAfter does everything and closes the connection instead of answering: a lost answer.
	ActionDropAfter ActionKind = "drop_after"
	// ActionTornFile sends half of a downloaded file and closes the connection.
	ActionTornFile ActionKind = "torn_zip"
	// ActionCorruptFile sends a downloaded file with its bytes damaged.
	ActionCorruptFile ActionKind = "corrupt_zip"
	// ActionDelay waits Delay before answering.
	ActionDelay ActionKind = "delay"
	// ActionStuckJob lets the bulk job this call creates never finish (until /_sim/reset or Close).
	ActionStuckJob ActionKind = "stuck_job"
	// ActionFailJob lets the bulk job this call creates fail as a whole.
	ActionFailJob ActionKind = "fail_job"
	// ActionRevokeToken ends the access token the call carries, then goes on: the call is answered INVALID_TOKEN.
	ActionRevokeToken ActionKind = "revoke_token"
	// ActionClockSkew moves the simulator's clock by Delay, once per struck call.
	ActionClockSkew ActionKind = "clock_skew"
)

// ActionKinds lists the actions, for programs that try everything.
func ActionKinds() []ActionKind {
	return []ActionKind{ActionStatus, ActionStatusAfter, ActionDropBefore, ActionDropAfter, ActionTornFile, ActionCorruptFile, ActionDelay, ActionStuckJob,
		ActionFailJob, ActionRevokeToken, ActionClockSkew}
}

// Action is what a fault does to a call.
type Action struct {
	// Kind is required.
	Kind ActionKind `json:"kind"`
	// Status is the HTTP status of the status actions, default 500.
	Status int `json:"status,omitempty"`
	// RetryAfter, when set, is sent as the Retry-After header.
	RetryAfter string `json:"retry_after,omitempty"`
	// Body is sent as is; empty: Zoho's envelope for the status, or an HTML page for 502, 503 and 504.
	Body string `json:"body,omitempty"`
	// Delay is the wait of ActionDelay and the step of ActionClockSkew, in JSON as "2s".
	Delay Duration `json:"delay,omitempty"`
}

// Duration is a time.Duration written as text such as "1m30s" in JSON.
type Duration time.Duration

// MarshalText renders the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText parses what time.ParseDuration accepts.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

type faultBook struct {
	mu   sync.Mutex
	list []*armed
}

type armed struct {
	Fault
	re            *regexp.Regexp
	seen, strikes int
}

// firing is a fault that strikes the present call.
type firing struct{ Fault }

// Fault arms a fault; several may be armed and may strike the same call, in the order they were armed. It fails when
// the pattern does not compile or the action is unknown.
func (s *Sim) Fault(f Fault) error {
	re, err := regexp.Compile(f.Match.PathPattern)
	if err != nil {
		return fmt.Errorf("fault path: %w", err)
	}
	if !slices.Contains(ActionKinds(), f.Action.Kind) {
		return fmt.Errorf("fault action %q is unknown", f.Action.Kind)
	}
	if f.Action.Status != 0 && (f.Action.Status < 200 || f.Action.Status > 599) {
		return fmt.Errorf("fault status %d is not an HTTP status", f.Action.Status)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &armed{Fault: f, re: re})
	return nil
}

// ClearFaults disarms all faults.
func (s *Sim) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// Faults lists the armed faults.
func (s *Sim) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	list := make([]Fault, 0, len(s.faults.list))
	for _, a := range s.faults.list {
		list = append(list, a.Fault)
	}
	return list
}

func (b *faultBook) match(s *Sim, method, path string) []firing {
	b.mu.Lock()
	defer b.mu.Unlock()
	var hit []firing
	for _, a := range b.list {
		m := a.Match
		if m.Method != "" && m.Method != method || !a.re.MatchString(path) {
			continue
		}
		a.seen++
		if m.Nth > 0 && a.seen != m.Nth || a.seen <= m.After || m.Count > 0 && a.strikes >= m.Count {
			continue
		}
		if m.Probability > 0 && s.chance() >= m.Probability {
			continue
		}
		a.strikes++
		hit = append(hit, firing{a.Fault})
	}
	return hit
}

func (c *call) struck(kind ActionKind) bool {
	for _, f := range c.faults {
		if f.Action.Kind == kind {
			return true
		}
	}
	return false
}

// faultsBefore plays the faults that come before the effect; done means the call ends here.
func (c *call) faultsBefore() (rep reply, done bool) {
	for _, f := range c.faults {
		switch f.Action.Kind {
		case ActionClockSkew:
			c.sim.AdvanceClock(time.Duration(f.Action.Delay))
			c.now = c.sim.Now()
		case ActionRevokeToken:
			c.sim.auth.revokeAccess(c.r)
		case ActionStatus:
			return f.Action.reply(c.conf), true
		case ActionDropBefore:
			c.drop()
		}
	}
	return reply{}, false
}

// delay plays the delays; the call holds its concurrency slot meanwhile.
func (c *call) delay() {
	for _, f := range c.faults {
		if f.Action.Kind == ActionDelay {
			c.wait(time.Duration(f.Action.Delay))
		}
	}
}

// faultsAfter plays the faults that hide or replace the answer.
func (c *call) faultsAfter(rep reply) reply {
	for _, f := range c.faults {
		switch f.Action.Kind {
		case ActionStatusAfter:
			rep = f.Action.reply(c.conf)
		case ActionDropAfter:
			c.drop()
		}
	}
	return rep
}

// drop logs the call with status 0 and breaks its connection.
func (c *call) drop() {
	c.sim.log.add(c, &reply{}, time.Now())
	panic(http.ErrAbortHandler)
}

func (c *call) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.r.Context().Done():
	case <-c.sim.closing.Done():
	}
}

func (a *Action) reply(conf *Config) reply {
	status := defaulted(a.Status, http.StatusInternalServerError)
	rep := reply{status: status, raw: []byte(a.Body), code: "FAULT"}
	if a.Body == "" {
		rep = a.usual(conf, status)
	}
	if a.RetryAfter != "" {
		rep.header = map[string]string{"Retry-After": a.RetryAfter}
	}
	return rep
}

// usual is what Zoho or its gateway would say with a status.
func (a *Action) usual(conf *Config, status int) reply {
	switch status {
	case http.StatusTooManyRequests:
		return conf.errTooMany().reply()
	case http.StatusUnauthorized:
		return errInvalidToken().reply()
	case http.StatusForbidden:
		return fail(status, "NO_PERMISSION", "permission denied").reply()
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return reply{status: status, raw: fmt.Appendf(nil, "<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status)), ctype: "text/html", code: "FAULT"}
	case http.StatusInternalServerError:
		return errInternal().reply()
	}
	return fail(status, "FAULT", http.StatusText(status)).reply()
}

// copyFile sends a file, torn or damaged when a fault says so.
func (c *call) copyFile(w io.Writer, f *os.File, size int64) {
	switch {
	case c.struck(ActionTornFile):
		_, _ = io.CopyN(w, f, size/2)
		panic(http.ErrAbortHandler)
	case c.struck(ActionCorruptFile):
		_, _ = io.Copy(w, &damaged{r: f})
	default:
		_, _ = io.Copy(w, f) // a client that leaves early is its own affair
	}
}

// damaged flips bits in every sixteenth byte.
type damaged struct {
	r   io.Reader
	pos int
}

func (d *damaged) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	for i := range n {
		if (d.pos+i)%16 == 7 {
			p[i] ^= 0x55
		}
	}
	d.pos += n
	return n, err
}
