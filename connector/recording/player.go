package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// maxRepeats is how often the last answer to a request without effect is given
// again; a loop that never ends is broken off.
const maxRepeats = 100

// Player answers requests from a recording. A request fits the recorded one with
// the same method, URL and body, whatever the order of parameters and keys; of
// several that are alike, each is answered in its turn, whatever happened between
// them. Requests of different kinds may come in another order than they were
// recorded in. It is safe for concurrent use.
type Player struct {
	redactor *Redactor

	mu       sync.Mutex
	queues   map[string][]Exchange // by what is asked, recorded answers not given yet
	last     map[string]Exchange   // given last
	repeated map[string]int
	strays   []string
	recorded []Exchange
}

// NewPlayer returns a player of these exchanges.
func NewPlayer(all []Exchange) *Player {
	p := &Player{
		redactor: NewRedactor(), queues: map[string][]Exchange{}, last: map[string]Exchange{}, repeated: map[string]int{}, recorded: all,
	}
	for _, x := range all {
		p.queues[x.Request.key()] = append(p.queues[x.Request.key()], x)
	}
	return p
}

// key is the same for requests that ask for the same.
func (r Request) key() string {
	target := r.URL
	if u, err := url.Parse(r.URL); err == nil {
		if query, err := url.ParseQuery(u.RawQuery); err == nil {
			u.RawQuery = query.Encode()
		}
		target = u.String()
	}
	return r.Method + " " + target + "\n" + r.Body.canonical()
}

// Tap answers instead of the network; it is an [egress.Tap].
func (p *Player) Tap(http.RoundTripper) http.RoundTripper { return answerer{p} }

type answerer struct{ player *Player }

func (a answerer) RoundTrip(r *http.Request) (*http.Response, error) {
	content, err := hold(&r, a.player.redactor.largest)
	if err != nil {
		return nil, err
	}
	asked, err := a.player.redactor.request(r, content)
	if err != nil {
		return nil, err
	}
	x, err := a.player.take(asked)
	if err != nil {
		return nil, err
	}
	return x.answer(r)
}

// take finds what was recorded for a request.
func (p *Player) take(asked Request) (Exchange, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := asked.key()
	if queue := p.queues[key]; len(queue) > 0 {
		p.queues[key], p.last[key] = queue[1:], queue[0]
		return queue[0], nil
	}
	if x, ok := p.last[key]; ok && asked.Method == http.MethodGet && p.repeated[key] < maxRepeats {
		p.repeated[key]++
		return x, nil
	}
	stray := p.describe(asked)
	p.strays = append(p.strays, stray)
	return Exchange{}, connector.Errorf(connector.ClassInternal, "NOT_IN_RECORDING", "the recording has no answer to %s", stray)
}

// describe says what was asked and what the recording has instead.
func (p *Player) describe(asked Request) string {
	text := asked.Method + " " + asked.URL
	if _, again := p.last[asked.key()]; again {
		return text + ", which was asked more often than it was recorded"
	}
	path := func(r Request) string { before, _, _ := strings.Cut(r.URL, "?"); return r.Method + " " + before }
	for _, x := range p.recorded {
		if path(x.Request) != path(asked) {
			continue
		}
		if x.Request.URL != asked.URL {
			return text + "; recorded is " + x.Request.URL
		}
		return fmt.Sprintf("%s with the body %s; recorded is the body %s", text, around(asked.Body, x.Request.Body), around(x.Request.Body, asked.Body))
	}
	return text
}

// around is the part of a body in which it differs from another.
func around(b, other *Body) string {
	mine, theirs := b.canonical(), other.canonical()
	at := 0
	for at < min(len(mine), len(theirs)) && mine[at] == theirs[at] {
		at++
	}
	return fmt.Sprintf("%q", mine[max(0, at-40):min(len(mine), at+80)])
}

// Differences says how the requests differed from the recorded ones: those that
// had no answer, and those that were never sent. Questions without effect may be
// put more often, or less often but once.
func (p *Player) Differences() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, stray := range p.strays {
		all = append(all, "not recorded: "+stray)
	}
	for _, x := range p.recorded {
		key := x.Request.key()
		queue := p.queues[key]
		_, asked := p.last[key]
		if len(queue) == 0 || queue[0].Number > x.Number || asked && x.Request.Method == http.MethodGet {
			continue
		}
		all = append(all, fmt.Sprintf("never sent: %s %s (exchange %d)", x.Request.Method, x.Request.URL, x.Number))
	}
	return all
}

// answer is what came of the exchange.
func (x Exchange) answer(r *http.Request) (*http.Response, error) {
	broken := x.broken()
	if x.Response == nil {
		return nil, broken
	}
	content, err := x.Response.Body.Content()
	if err != nil {
		return nil, fmt.Errorf("exchange %d: %w", x.Number, err)
	}
	var body io.Reader = bytes.NewReader(content)
	length := int64(len(content))
	if broken != nil {
		body, length = io.MultiReader(body, failing{broken}), -1
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", x.Response.Status, http.StatusText(x.Response.Status)), StatusCode: x.Response.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: x.Response.Header.Clone(), Body: io.NopCloser(body), ContentLength: length, Request: r,
	}, nil
}

func (x Exchange) broken() error {
	switch x.Failure {
	case "":
		return nil
	case failureDial:
		return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("recorded failure")}
	case failureTimeout:
		return context.DeadlineExceeded
	}
	return io.ErrUnexpectedEOF
}
