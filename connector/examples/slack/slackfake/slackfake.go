package slackfake

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says what a workspace is like. The zero value is usable.
type Config struct {
	// Channels are those of the workspace; nil means [DefaultChannels].
	Channels []Channel
	// Scopes are those of the token; nil means all that are known here.
	Scopes []string
	// Pace is the least time between two messages in a channel; sooner ones are
	// answered 429. 0 sets no pace.
	Pace time.Duration
}

// Channel is a conversation.
type Channel struct {
	// ID begins with C. Name has no "#".
	ID, Name, Topic, Purpose string
	// Private channels are seen by members alone; Member says that the bot is one.
	Private, Archived, Member bool
	// ReadOnly channels take no messages of bots.
	ReadOnly bool
	Members  int
}

// DefaultChannels are five channels, one of them archived and one private.
func DefaultChannels() []Channel {
	return []Channel{
		{ID: "C0GENERAL", Name: "general", Purpose: "Everybody", Member: true, Members: 40},
		{ID: "C0RANDOM", Name: "random", Topic: "cats", Members: 38},
		{ID: "C0SALES", Name: "sales", Purpose: "New customers", Member: true, Members: 7},
		{ID: "C0OLD", Name: "old-project", Archived: true, Members: 3},
		{ID: "C0SECRET", Name: "board", Private: true, Member: true, Members: 3},
	}
}

// Message is a message that was posted.
type Message struct {
	Channel, TS, Text string
}

// Fault is what becomes of one call.
type Fault struct {
	// Method is the method concerned, such as chat.postMessage. Required.
	Method string
	// Status is answered instead of 200; 429 comes with a Retry-After of
	// RetryAfter, in seconds.
	Status, RetryAfter int
	// Code is answered as an error at 200.
	Code string
	// Late carries the call out first: with Hangup, the answer gets lost.
	Late bool
	// Hangup breaks the connection instead of answering; Stall does so when the
	// caller has given up.
	Hangup, Stall bool
}

// Fake is a workspace. It is an [http.Handler] for the paths /METHOD and
// /api/METHOD, and safe for concurrent use.
type Fake struct {
	config Config

	mu       sync.Mutex
	messages []Message
	calls    map[string]int
	faults   []Fault
	latest   map[string]time.Time // message of each channel
}

// New returns a workspace.
func New(config Config) *Fake {
	if config.Channels == nil {
		config.Channels = DefaultChannels()
	}
	if config.Scopes == nil {
		config.Scopes = []string{"chat:write", "channels:read", "groups:read"}
	}
	return &Fake{config: config, calls: map[string]int{}, latest: map[string]time.Time{}}
}

// Token returns the token of the workspace's bot.
func (f *Fake) Token() string { return "xoxb-1111-2222-abcdefghijkl" }

// Messages returns the messages posted so far, in their order.
func (f *Fake) Messages() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.messages)
}

// Calls returns how often a method was called.
func (f *Fake) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// Break orders faults; each is used once, in their order.
func (f *Fake) Break(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

// Archive archives a channel.
func (f *Fake) Archive(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.config.Channels {
		if f.config.Channels[i].ID == id {
			f.config.Channels[i].Archived = true
		}
	}
}

func (f *Fake) fault(method string) (Fault, bool) {
	at := slices.IndexFunc(f.faults, func(x Fault) bool { return x.Method == method })
	if at < 0 {
		return Fault{}, false
	}
	fault := f.faults[at]
	f.faults = slices.Delete(f.faults, at, at+1)
	return fault, true
}

// ServeHTTP answers a call.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, fault := f.serve(r)
	if fault.Stall {
		<-r.Context().Done()
	}
	if fault.Hangup || fault.Stall {
		panic(http.ErrAbortHandler) // net/http closes the connection
	}
	a.write(w, f.config.Scopes)
}

// serve finds the answer to a call, and what is wrong with it.
func (f *Fake) serve(r *http.Request) (answer, Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	method := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "api/")
	f.calls[method]++
	fault, broken := f.fault(method)
	var a answer
	if !broken || fault.Late {
		a = f.answer(method, r)
	}
	switch {
	case fault.Status == http.StatusTooManyRequests:
		a = tooMany(fault.RetryAfter)
	case fault.Status != 0:
		a = answer{status: fault.Status}
	case fault.Code != "":
		a = no(fault.Code)
	}
	return a, fault
}

// answer carries a call out.
func (f *Fake) answer(method string, r *http.Request) answer {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !found:
		return no("not_authed")
	case token != f.Token():
		return no("invalid_auth")
	}
	if err := r.ParseForm(); err != nil {
		return no("invalid_form_data")
	}
	switch method {
	case "auth.test":
		return yes(fields{
			"url": "https://fake.slack.com/", "team": "Fake Workspace", "user": "sluice", "team_id": "T0FAKE", "user_id": "U0BOT", "bot_id": "B0BOT",
		})
	case "conversations.list":
		return f.list(r)
	case "conversations.info":
		return f.info(r)
	case "chat.postMessage":
		return f.post(r)
	}
	return no("unknown_method")
}

// lacks answers a call whose token has none of the scopes.
func (f *Fake) lacks(scopes ...string) (answer, bool) {
	for _, s := range scopes {
		if slices.Contains(f.config.Scopes, s) {
			return answer{}, false
		}
	}
	a := no("missing_scope")
	a.fields["needed"], a.fields["provided"] = strings.Join(scopes, ","), strings.Join(f.config.Scopes, ",")
	return a, true
}

// visible finds a channel the bot knows of.
func (f *Fake) visible(id string) (Channel, bool) {
	at := slices.IndexFunc(f.config.Channels, func(c Channel) bool { return c.ID == id && (!c.Private || c.Member) })
	if at < 0 {
		return Channel{}, false
	}
	return f.config.Channels[at], true
}

func (f *Fake) list(r *http.Request) answer {
	limit, offset := 100, 0
	if text := r.Form.Get("limit"); text != "" {
		if _, err := fmt.Sscanf(text, "%d", &limit); err != nil || limit < 1 || limit > 1000 {
			return no("invalid_limit")
		}
	}
	if text := r.Form.Get("cursor"); text != "" {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return no("invalid_cursor")
		}
		if _, err := fmt.Sscanf(string(decoded), "next:%d", &offset); err != nil {
			return no("invalid_cursor")
		}
	}
	types := strings.Split(r.Form.Get("types"), ",")
	needed := map[string]string{"public_channel": "channels:read", "private_channel": "groups:read"}
	for _, t := range types {
		if a, lacks := f.lacks(needed[t]); lacks && needed[t] != "" {
			return a
		}
	}
	var all []fields
	for _, c := range f.config.Channels {
		kind := "public_channel"
		if c.Private {
			kind = "private_channel"
		}
		if _, seen := f.visible(c.ID); seen && slices.Contains(types, kind) && !(c.Archived && r.Form.Get("exclude_archived") == "true") {
			all = append(all, c.fields())
		}
	}
	from, to := min(offset, len(all)), min(offset+limit, len(all))
	next := ""
	if to < len(all) {
		next = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "next:%d", to))
	}
	return yes(fields{"channels": append([]fields{}, all[from:to]...), "response_metadata": fields{"next_cursor": next}})
}

func (f *Fake) info(r *http.Request) answer {
	if a, lacks := f.lacks("channels:read", "groups:read"); lacks {
		return a
	}
	c, found := f.visible(r.Form.Get("channel"))
	if !found {
		return no("channel_not_found")
	}
	return yes(fields{"channel": c.fields()})
}

func (f *Fake) post(r *http.Request) answer {
	if a, lacks := f.lacks("chat:write"); lacks {
		return a
	}
	c, found := f.visible(r.Form.Get("channel"))
	text := r.Form.Get("text")
	switch {
	case !found:
		return no("channel_not_found")
	case c.Archived:
		return no("is_archived")
	case !c.Member:
		return no("not_in_channel")
	case c.ReadOnly:
		return no("restricted_action_read_only_channel")
	case text == "":
		return no("no_text")
	case len([]rune(text)) > 40_000:
		return no("msg_too_long")
	}
	now := time.Now()
	if f.config.Pace > 0 && now.Sub(f.latest[c.ID]) < f.config.Pace {
		return tooMany(1)
	}
	f.latest[c.ID] = now
	m := Message{Channel: c.ID, TS: fmt.Sprintf("%d.%06d", now.Unix(), len(f.messages)+1), Text: text}
	f.messages = append(f.messages, m)
	return yes(fields{"channel": m.Channel, "ts": m.TS, "message": fields{"type": "message", "bot_id": "B0BOT", "text": m.Text, "ts": m.TS}})
}
