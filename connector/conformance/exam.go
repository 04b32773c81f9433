package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// exam is one examination under way. Its laws are asked one after the other;
// what several of them look at is found out once.
type exam struct {
	ctx     context.Context
	subject Subject
	options Options
	opened  []func() // in order of opening

	said    []saying // every text the connector said
	errs    []seenError
	panics  []string
	overdue []string // calls that did not end in time
	silent  []string // conversations in which too little was heard

	base      memo[connector.Connector]
	facts     memo[connector.Manifest]
	methods   memo[connector.ConnectionForm]
	connect   memo[connector.Connected]
	session   memo[connector.Session]
	limits    memo[connector.Limits]
	forms     memo[[]namedForm]
	sources   memo[[]*source]
	streams   memo[[]connector.Stream]
	listed    memo[[]connector.Stream]
	outbounds map[string]*outboundTalk
	inbounds  map[string]*inboundTalk
	resumed   memo[*resumption]
	kept      connector.Keep // what the connector asked to keep
}

// saying is a text and who said it.
type saying struct{ where, text string }

// seenError is an error and what it came of.
type seenError struct {
	where string
	err   error
}

// memo is a value that is found out once.
type memo[T any] struct {
	known bool
	value T
	err   error
}

func (m *memo[T]) get(find func() (T, error)) (T, error) {
	if !m.known {
		m.value, m.err = find()
		m.known = true
	}
	return m.value, m.err
}

func newExam(ctx context.Context, subject Subject, options Options) *exam {
	return &exam{ctx: ctx, subject: subject, options: options, outbounds: make(map[string]*outboundTalk), inbounds: make(map[string]*inboundTalk)}
}

// close takes apart what was opened, last first.
func (x *exam) close() {
	if s, err := x.session.value, x.session.err; x.session.known && err == nil {
		_, _ = ask(x, "Close", x.options.Prompt, func(context.Context) (struct{}, error) { return struct{}{}, s.Close() })
	}
	for i := len(x.opened) - 1; i >= 0; i-- {
		x.opened[i]()
	}
}

// name is the connector's name and version, "" when it gave no manifest.
func (x *exam) name() string {
	if !x.facts.known || x.facts.err != nil {
		return ""
	}
	return x.facts.value.ID + " " + x.facts.value.Version
}

// panicError is a panic of the connector.
type panicError struct{ where string }

func (e *panicError) Error() string { return "the connector panicked in " + e.where }

// overdueError says that a call did not end in time.
type overdueError struct {
	where string
	limit time.Duration
	// stuck is true when the call did not end after it was cancelled either.
	stuck bool
}

func (e *overdueError) Error() string {
	return fmt.Sprintf("%s did not end within %v", e.where, e.limit)
}

// answer is what a call brought.
type answer[T any] struct {
	value T
	err   error
}

// ask makes a call, turns a panic into an error, and gives the call up when it
// ends neither within the limit nor after it was cancelled.
func ask[T any](x *exam, where string, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithCancel(x.ctx)
	defer cancel()
	answers := make(chan answer[T], 1)
	go func() { // is given up when the connector does not obey its context
		var a answer[T]
		defer func() { answers <- a }()
		defer caught(where, &a.err)
		a.value, a.err = call(ctx)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-answers:
		x.noteError(where, a.err)
		return a.value, a.err
	case <-timer.C:
		cancel()
	}
	overdue := &overdueError{where: where, limit: limit}
	timer.Reset(x.options.Prompt)
	select {
	case a := <-answers:
		x.noteError(where, a.err)
	case <-timer.C:
		overdue.stuck = true
	}
	var none T
	return none, overdue
}

// caught turns a panic into an error. What was panicked with may hold a record.
func caught(where string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	*err = &panicError{where + " (" + what + ")"}
}

// noteError remembers an error, for the laws that concern all of them.
func (x *exam) noteError(where string, err error) {
	if err == nil {
		return
	}
	if p, ok := errors.AsType[*panicError](err); ok {
		x.panics = append(x.panics, p.where)
		return
	}
	if e, ok := errors.AsType[*connector.Error](err); ok {
		if e.Code == "PANIC" { // caught by the runtime on the other side
			x.panics = append(x.panics, where+": "+e.Message)
			return
		}
	}
	x.errs = append(x.errs, seenError{where, err})
	x.say(where+", its error", err.Error())
}

// say remembers texts that must hold no secret.
func (x *exam) say(where string, texts ...string) {
	for _, t := range texts {
		if t != "" {
			x.said = append(x.said, saying{where, t})
		}
	}
}

// trouble says what the failure of a call means for the law that it succeeds:
// nothing, when another law is about that kind of failure.
func (x *exam) trouble(what string, err error) error {
	if s, ok := errors.AsType[*skipError](err); ok {
		return s
	}
	if _, ok := errors.AsType[*panicError](err); ok || errorCode(err) == "PANIC" {
		return skip("%s panicked; see %s", what, lawNoPanic)
	}
	if o, ok := errors.AsType[*overdueError](err); ok {
		x.overdue = append(x.overdue, o.Error())
		return skip("%s did not end; see %s", what, lawEnds)
	}
	return breach("%s failed: %v", what, err)
}

func errorCode(err error) string {
	if e, ok := errors.AsType[*connector.Error](err); ok {
		return e.Code
	}
	return ""
}

// see turns any error into the reason why a law that needs what failed is
// skipped.
func see(law string, err error) error {
	if err == nil {
		return nil
	}
	if s, ok := errors.AsType[*skipError](err); ok {
		return s
	}
	return skip("what it needs failed; see %s", law)
}

// open opens the connector anew; it is taken apart at the end.
func (x *exam) open() (connector.Connector, error) {
	c, done, err := x.subject.Open(x.ctx)
	if err != nil {
		return nil, breach("the connector could not be opened: %v", err)
	}
	if done != nil {
		x.opened = append(x.opened, done)
	}
	return c, nil
}

// shared is the connector that unary calls go to.
func (x *exam) shared() (connector.Connector, error) { return x.base.get(x.open) }

// manifest returns the manifest, or why there is none.
func (x *exam) manifest() (connector.Manifest, error) {
	m, err := x.facts.get(func() (connector.Manifest, error) {
		c, err := x.shared()
		if err != nil {
			return connector.Manifest{}, err
		}
		return ask(x, "Manifest", x.options.Patience, c.Manifest)
	})
	return m, see("L-001", err)
}

func (x *exam) feature(f connector.Feature) error {
	m, err := x.manifest()
	if err != nil {
		return err
	}
	for _, has := range m.Features {
		if has == f {
			return nil
		}
	}
	return skip("the manifest does not list the feature %s", f)
}

// connectionForm returns the form asked without answers.
func (x *exam) connectionForm() (connector.ConnectionForm, error) {
	form, err := x.methods.get(func() (connector.ConnectionForm, error) {
		c, err := x.shared()
		if err != nil {
			return connector.ConnectionForm{}, skip("the connector could not be opened")
		}
		return ask(x, "ConnectionForm", x.options.Patience, func(ctx context.Context) (connector.ConnectionForm, error) {
			return c.ConnectionForm(ctx, x.subject.Connection.Answers)
		})
	})
	return form, see("L-101", err)
}

// given returns the connection as the user gave it.
func (x *exam) given() (connector.Connection, error) {
	if x.subject.Connection.Method == "" {
		return connector.Connection{}, skip("no connection was given")
	}
	return x.subject.Connection, nil
}

// connection returns the connection with all that was kept of logging in.
func (x *exam) connection() (connector.Connection, error) {
	c, err := x.given()
	if err != nil {
		return c, err
	}
	got, err := x.connected()
	if err != nil {
		return c, see("L-204", err)
	}
	c.Parameters = merged(c.Parameters, got.Parameters, x.kept.Parameters)
	c.Secrets = merged(c.Secrets, got.Secrets, x.kept.Secrets)
	c.Addresses = append(append([]connector.NetworkAddress{}, c.Addresses...), got.Addresses...)
	return c, nil
}

func merged(all ...connector.Answers) connector.Answers {
	out := connector.Answers{}
	for _, a := range all {
		maps.Copy(out, a)
	}
	return out
}

// connected logs in once.
func (x *exam) connected() (connector.Connected, error) {
	return x.connect.get(func() (connector.Connected, error) {
		c, err := x.given()
		if err != nil {
			return connector.Connected{}, err
		}
		return x.login(c)
	})
}

// login opens a session and connects.
func (x *exam) login(connection connector.Connection) (connector.Connected, error) {
	c, err := x.shared()
	if err != nil {
		return connector.Connected{}, skip("the connector could not be opened")
	}
	s, err := x.opens(c, connection)
	if err != nil {
		return connector.Connected{}, err
	}
	got, err := ask(x, "Connect", x.options.Patience, func(ctx context.Context) (connector.Connected, error) {
		return s.Connect(ctx, connector.Authorization{})
	})
	_, closed := ask(x, "Close", x.options.Prompt, func(context.Context) (struct{}, error) { return struct{}{}, s.Close() })
	return got, errors.Join(err, closed)
}

func (x *exam) opens(c connector.Connector, connection connector.Connection) (connector.Session, error) {
	return ask(x, "Open", x.options.Patience, func(ctx context.Context) (connector.Session, error) { return c.Open(ctx, connection) })
}

// bound returns the session that unary calls go to.
func (x *exam) bound() (connector.Session, error) {
	return x.session.get(func() (connector.Session, error) {
		connection, err := x.connection()
		if err != nil {
			return nil, err
		}
		c, err := x.shared()
		if err != nil {
			return nil, skip("the connector could not be opened")
		}
		s, err := x.opens(c, connection)
		return s, see("L-204", err)
	})
}

// secrets are the secret texts that were given or came from logging in, if they
// are long enough to be recognised.
func (x *exam) secrets() []string {
	var all []string
	add := func(a connector.Answers) {
		for _, values := range a {
			for _, v := range values {
				if len(v) >= 6 {
					all = append(all, v)
				}
			}
		}
	}
	add(x.subject.Connection.Secrets)
	add(x.connect.value.Secrets)
	add(x.kept.Secrets)
	if x.subject.Refused != nil {
		add(x.subject.Refused.Secrets)
	}
	return all
}

// masked hides secrets, so that a report can be shown around.
func (x *exam) masked(text string) string {
	for _, s := range x.secrets() {
		text = strings.ReplaceAll(text, s, "***")
	}
	return text
}
