package zohosim

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// call is one request on its way through the simulator.
type call struct {
	sim    *Sim
	conf   *Config
	r      *http.Request
	path   string
	route  *route
	params map[string]string
	query  url.Values
	now    time.Time
	token  *accessToken
	spent  int // credits taken
	usage  int // credits spent in the window, after this call
	body   []byte
	read   bool
	faults []firing
}

// reply is what a handler answers. The zero status is 200.
type reply struct {
	status   int
	body     any    // marshalled as JSON
	raw      []byte // sent as is, with ctype
	ctype    string
	code     string // Zoho's code, for the log
	header   map[string]string
	file     string // path of a file to send
	fileName string
}

// maxJSON bounds JSON bodies.
const maxJSON = 16 << 20

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

func noContent() reply { return reply{status: http.StatusNoContent} }

// ServeHTTP answers a request of Zoho's API, of its accounts server, or under /_sim/. Faults that drop the connection
// panic with http.ErrAbortHandler, as the standard library asks for.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := collapse(r.URL.Path)
	if path == "/_sim" || len(path) > 5 && path[:6] == "/_sim/" {
		s.admin.ServeHTTP(w, r)
		return
	}
	started := time.Now()
	c := &call{sim: s, conf: s.conf.Load(), r: r, path: path, query: r.URL.Query(), now: s.Now()}
	c.faults = s.faults.match(s, r.Method, path)
	leave := func() {}
	defer func() { leave() }()
	rep := s.answer(c, &leave)
	s.log.add(c, &rep, started)
	s.send(w, c, &rep)
}

// answer runs the checks in Zoho's order and then the handler, with faults before and after it.
func (s *Sim) answer(c *call, leave *func()) reply {
	route, params, known := match(s.routes, c.r.Method, c.path)
	if route == nil {
		if known {
			return errMethod().reply()
		}
		return errURL().reply()
	}
	c.route, c.params = route, params
	if rep, done := c.faultsBefore(); done {
		return rep
	}
	if err := c.admit(leave); err != nil {
		return err.reply()
	}
	c.delay()
	rep := route.handle(c)
	rep.status = defaulted(rep.status, http.StatusOK)
	return c.faultsAfter(rep)
}

// admit checks token, scope, concurrency and credits.
func (c *call) admit(leave *func()) *apiError {
	s, r := c.sim, c.route
	if r.open {
		return nil
	}
	token, err := s.auth.check(c.r, c.now)
	if err != nil {
		return err
	}
	c.token = token
	if r.needs != nil {
		for _, n := range r.needs(c) {
			if !token.allows(n) {
				return errScope()
			}
		}
	}
	return c.admitLimits(leave)
}

func (c *call) admitLimits(leave *func()) *apiError {
	s, heavy := c.sim, c.route.heavy != nil && c.route.heavy(c)
	calls, heavies := editions[c.conf.Edition].concurrency, heavyConcurrency
	if c.conf.DisableConcurrency {
		calls, heavies = 0, 0
	}
	if !s.gauge.enter(heavy, calls, heavies) {
		s.log.count(func(n *Counters) { n.ThrottledConcurrency++ })
		return c.conf.errTooMany()
	}
	*leave = func() { s.gauge.leave(heavy) }
	cost := 1
	if c.route.cost != nil {
		cost = c.route.cost(c)
	}
	_, limit := c.conf.credits()
	if c.conf.DisableCredits {
		limit = 0
	}
	var admitted bool
	if c.usage, admitted = s.ledger.take(c.now, cost, limit); !admitted {
		s.log.count(func(n *Counters) { n.ThrottledCredits++ })
		return c.conf.errTooMany()
	}
	c.spent = cost
	return nil
}

// send writes the reply, or what the faults make of it.
func (s *Sim) send(w http.ResponseWriter, c *call, rep *reply) {
	h := w.Header()
	h.Set("Date", s.Now().UTC().Format(http.TimeFormat)) // a skewed clock is skewed everywhere
	for k, v := range rep.header {
		h.Set(k, v)
	}
	c.limitHeaders(h, rep)
	switch {
	case rep.file != "":
		s.sendFile(w, c, rep)
	case rep.status == http.StatusNoContent || rep.status == http.StatusNotModified:
		w.WriteHeader(rep.status)
	case rep.raw != nil:
		h.Set("Content-Type", defaulted(rep.ctype, "application/json;charset=UTF-8"))
		w.WriteHeader(rep.status)
		_, _ = w.Write(rep.raw) // the client may be gone; nobody is left to tell
	default:
		writeJSON(w, rep.status, rep.body)
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"code":"INTERNAL_ERROR","details":{},"message":"Internal Server Error","status":"error"}`)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // as above
}

// limitHeaders adds X-API-CREDITS-REMAINING once half of the edition's own credits are used, as Zoho documents.
func (c *call) limitHeaders(h http.Header, rep *reply) {
	own, total := c.conf.credits()
	if c.token != nil && !c.route.free && c.usage*2 >= own && !c.conf.Variants.OmitCreditsHeader {
		h.Set("X-API-CREDITS-REMAINING", strconv.Itoa(max(total-c.usage, 0)))
	}
	if rep.status == http.StatusTooManyRequests && c.conf.Variants.RetryAfter > 0 && h.Get("Retry-After") == "" {
		h.Set("Retry-After", strconv.Itoa(c.conf.Variants.RetryAfter))
	}
}

func (s *Sim) sendFile(w http.ResponseWriter, c *call, rep *reply) {
	f, err := os.Open(rep.file)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, errInternal().envelope())
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, errInternal().envelope())
		return
	}
	h := w.Header()
	h.Set("Content-Type", rep.ctype)
	h.Set("Content-Disposition", `attachment; filename="`+rep.fileName+`"`)
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.WriteHeader(rep.status)
	c.copyFile(w, f, info.Size())
}

// bodyBytes reads the body once, bounded.
func (c *call) bodyBytes() []byte {
	if !c.read {
		c.read = true
		b, err := io.ReadAll(io.LimitReader(c.r.Body, maxJSON+1))
		if err == nil && len(b) <= maxJSON {
			c.body = b
		}
	}
	return c.body
}

var errEmptyBody = errors.New("empty body")

// decode parses the JSON body whatever its Content-Type, as Zoho does for most calls.
func (c *call) decode(into any) error {
	b := c.bodyBytes()
	if len(b) == 0 {
		return errEmptyBody
	}
	return json.Unmarshal(b, into)
}

// base is the URL clients see the simulator under.
func (c *call) base() string {
	if c.conf.BaseURL != "" {
		return c.conf.BaseURL
	}
	scheme := "http://"
	if c.r.TLS != nil {
		scheme = "https://"
	}
	return scheme + c.r.Host
}

// hostName is the host the client addressed, without port.
func (c *call) hostName() string {
	if host, _, err := net.SplitHostPort(c.r.Host); err == nil {
		return host
	}
	return c.r.Host
}

// version is the number in the path's version segment.
func (c *call) version() int {
	whole, _, _ := strings.Cut(strings.TrimPrefix(c.params["v"], "v"), ".")
	n, _ := strconv.Atoi(whole) // the router let nothing else through
	return n
}

// intParam reads a whole-number query parameter.
func (c *call) intParam(name string, def int) (int, bool) {
	v := c.query.Get(name)
	if v == "" {
		return def, true
	}
	n, err := strconv.Atoi(v)
	return n, err == nil
}

// stamp renders an instant in the connected user's zone, without milliseconds, as all Zoho answers do.
func (c *call) stamp(unix int64) string { return c.sim.org.stamp(unix) }
