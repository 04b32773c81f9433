package egress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// roundTrip is an app made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

var app = []connector.NetworkAddress{{Host: "app.example"}}

func newClient(t *testing.T, c Config) *http.Client {
	t.Helper()
	if c.Addresses == nil {
		c.Addresses = app
	}
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client.HTTP()
}

func get(ctx context.Context, c *http.Client, url string) (int, error) {
	return send(ctx, c, http.MethodGet, url, nil)
}

func send(ctx context.Context, c *http.Client, method, url string, body io.Reader) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0, err
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func addressOf(t *testing.T, base string) connector.NetworkAddress {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(u.Port())
	return connector.NetworkAddress{Scheme: u.Scheme, Host: u.Hostname(), Port: port}
}

func TestForeignHostsAreRefusedByName(t *testing.T) {
	var foreignCalls atomic.Int64
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreignCalls.Add(1) }))
	defer foreign.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, foreign.URL+"/file.zip", http.StatusFound)
	}))
	defer home.Close()
	client := newClient(t, Config{Addresses: []connector.NetworkAddress{addressOf(t, home.URL)}})
	for name, target := range map[string]string{
		"an absolute download URL": foreign.URL + "/file.zip",
		"a redirect":               home.URL + "/redirected",
		"another scheme":           strings.Replace(home.URL, "http:", "https:", 1),
		"another port":             "http://127.0.0.1:1/",
		"user info":                strings.Replace(home.URL, "http://", "http://user@", 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t.Context(), client, target)
			var refused *HostError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want a HostError", err)
			}
			if e := connector.AsError(err); e.Class != connector.ClassConfig || e.Code != "HOST_NOT_ALLOWED" || !strings.Contains(e.Error(), refused.Host) {
				t.Errorf("got %+v, want CONFIG HOST_NOT_ALLOWED naming %s", e, refused.Host)
			}
			if strings.HasPrefix(target, foreign.URL) && !strings.Contains(refused.Host, strings.TrimPrefix(foreign.URL, "http://")) {
				t.Errorf("host %q does not name %s", refused.Host, foreign.URL)
			}
		})
	}
	if n := foreignCalls.Load(); n != 0 {
		t.Errorf("the foreign host was called %d times", n)
	}
}

// TestRatesHoldAtTheApp stamps arrivals at the app, behind a network that
// delays every request and every answer by a random time.
func TestRatesHoldAtTheApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, per, calls = 10, time.Second, 120
		var mu sync.Mutex
		var arrivals []time.Time
		n := 0
		client := newClient(t, Config{
			Limits: connector.Limits{Limits: []connector.Limit{{Category: "create", Rates: []connector.Rate{{Count: count, Per: per}}, Matchers: []connector.Matcher{{Methods: []string{"POST"}}}}}},
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				mu.Lock()
				n++
				there, back := time.Duration(n*7919%400)*time.Millisecond, time.Duration(n*104729%300)*time.Millisecond
				mu.Unlock()
				<-time.After(there)
				mu.Lock()
				arrivals = append(arrivals, time.Now())
				mu.Unlock()
				<-time.After(back)
				return answer(201, "{}"), nil
			}),
		})
		var workers sync.WaitGroup
		for range calls {
			workers.Go(func() {
				if status, err := send(t.Context(), client, http.MethodPost, "https://app.example/jobs", nil); err != nil || status != 201 {
					t.Errorf("got %d, %v", status, err)
				}
			})
		}
		workers.Wait()
		if len(arrivals) != calls {
			t.Fatalf("%d calls arrived, want %d", len(arrivals), calls)
		}
		for i := count; i < len(arrivals); i++ {
			if gap := arrivals[i].Sub(arrivals[i-count]); gap < per {
				t.Fatalf("calls %d to %d arrived within %v: more than %d in %v", i-count, i, gap, count, per)
			}
		}
	})
}

func TestConcurrencyIsSharedByAGroupUntilBodiesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy, peak atomic.Int64
		limit := func(category, path string, size int) connector.Limit {
			return connector.Limit{Category: category, Shared: "heavy", MaxConcurrency: size, Matchers: []connector.Matcher{{PathPattern: path}}}
		}
		client := newClient(t, Config{
			Limits: connector.Limits{Limits: []connector.Limit{limit("a", "/a", 5), limit("b", "/b", 3)}},
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				now := busy.Add(1)
				for p := peak.Load(); now > p && !peak.CompareAndSwap(p, now); p = peak.Load() {
				}
				resp := answer(200, "x")
				resp.Body = &onClose{ReadCloser: resp.Body, done: func() { busy.Add(-1) }}
				<-time.After(time.Second)
				return resp, nil
			}),
		})
		var workers sync.WaitGroup
		for i := range 30 {
			workers.Go(func() { _, _ = get(t.Context(), client, "https://app.example/"+[]string{"a", "b"}[i%2]) })
		}
		workers.Wait()
		if peak.Load() != 3 {
			t.Errorf("peak of %d calls at once, want 3", peak.Load())
		}
	})
}

func TestA429PausesEveryWorkerOfTheCategory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var early, calls atomic.Int64
		client := newClient(t, Config{
			Limits: connector.Limits{Limits: []connector.Limit{{Category: "all", Matchers: []connector.Matcher{{}}}}},
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				if calls.Add(1) == 1 {
					return answer(429, "slow down", "Retry-After", "60"), nil
				}
				if since := time.Since(start); since > time.Second && since < time.Minute {
					early.Add(1)
				}
				return answer(200, ""), nil
			}),
		})
		var workers sync.WaitGroup
		workers.Go(func() { _, _ = get(t.Context(), client, "https://app.example/") })
		<-time.After(10 * time.Second)
		for range 5 {
			workers.Go(func() { _, _ = get(t.Context(), client, "https://app.example/") })
		}
		workers.Wait()
		if early.Load() != 0 || calls.Load() != 7 || time.Since(start) < time.Minute {
			t.Errorf("%d calls, %d of them in the pause, over after %v", calls.Load(), early.Load(), time.Since(start))
		}
	})
}

func TestWhatIsRepeated(t *testing.T) {
	lost := errors.New("connection reset")
	for _, tt := range []struct {
		name   string
		method string
		ctx    func(context.Context) context.Context
		path   string
		status int
		err    error
		want   int64 // attempts
	}{
		{name: "GET after 503", method: "GET", status: 503, want: 3},
		{name: "GET after a lost answer", method: "GET", err: lost, want: 3},
		{name: "POST after 503 is not", method: "POST", status: 503, want: 1},
		{name: "POST after a lost answer is not", method: "POST", err: lost, want: 1},
		{name: "POST after 429", method: "POST", status: 429, want: 3},
		{name: "POST marked idempotent", method: "POST", status: 500, ctx: WithIdempotent, want: 3},
		{name: "POST declared safe", method: "POST", path: "/query", status: 502, want: 3},
		{name: "400 is not", method: "GET", status: 400, want: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				client := newClient(t, Config{
					Retry:     Retry{MaxAttempts: 3},
					RetrySafe: []connector.Matcher{{PathPattern: "/query"}},
					Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
						calls.Add(1)
						if body, _ := io.ReadAll(r.Body); string(body) != "body" {
							t.Errorf("attempt %d carried %q", calls.Load(), body)
						}
						if tt.err != nil {
							return nil, tt.err
						}
						return answer(tt.status, "why"), nil
					}),
				})
				ctx := t.Context()
				if tt.ctx != nil {
					ctx = tt.ctx(ctx)
				}
				status, err := send(ctx, client, tt.method, "https://app.example"+tt.path, strings.NewReader("body"))
				if calls.Load() != tt.want {
					t.Errorf("%d attempts, want %d", calls.Load(), tt.want)
				}
				if status != tt.status || !errors.Is(err, tt.err) {
					t.Errorf("got %d, %v; want the last answer", status, err)
				}
			})
		})
	}
}

// countingTokens mints t1, t2, ...
type countingTokens struct {
	mu      sync.Mutex
	mints   int
	current string
}

func (c *countingTokens) Token(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == "" {
		c.mints++
		c.current = fmt.Sprintf("Scheme t%d", c.mints)
	}
	return c.current, nil
}

func (c *countingTokens) Invalidate(_ context.Context, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value == c.current {
		c.current = ""
	}
}

func TestAnExpiredTokenIsRefreshedOnceForAll(t *testing.T) {
	tokens := &countingTokens{}
	client := newClient(t, Config{Tokens: tokens, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") == "Scheme t1" {
			return answer(401, "INVALID_TOKEN"), nil
		}
		return answer(200, ""), nil
	})})
	var workers sync.WaitGroup
	for range 50 {
		workers.Go(func() {
			if status, err := get(t.Context(), client, "https://app.example/"); status != 200 || err != nil {
				t.Errorf("got %d, %v", status, err)
			}
		})
	}
	workers.Wait()
	if tokens.mints != 2 {
		t.Errorf("%d tokens minted, want 2", tokens.mints)
	}
}

func TestTheTokenStaysAtItsHost(t *testing.T) {
	seen := make(map[string]string)
	client := newClient(t, Config{
		Addresses: append([]connector.NetworkAddress{{Host: "files.example"}}, app...), Tokens: &countingTokens{},
		Unauthenticated: []connector.Matcher{{PathPattern: "/oauth/.*"}},
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			seen[r.URL.Host+r.URL.Path] = r.Header.Get("Authorization")
			if r.URL.Path == "/move" {
				resp := answer(302, "", "Location", "https://files.example/x")
				resp.Request = r // as every real transport does
				return resp, nil
			}
			return answer(200, ""), nil
		}),
	})
	for _, path := range []string{"/move", "/oauth/token"} {
		if _, err := get(t.Context(), client, "https://app.example"+path); err != nil {
			t.Fatal(err)
		}
	}
	if seen["app.example/move"] == "" || seen["files.example/x"] != "" || seen["app.example/oauth/token"] != "" {
		t.Errorf("authorization by URL: %v", seen)
	}
}

func TestAWaitBeyondTheDeadlineFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := connector.Limits{
			Limits: []connector.Limit{
				{Category: "slow", Rates: []connector.Rate{{Count: 1, Per: time.Hour}}, Matchers: []connector.Matcher{{PathPattern: "/slow"}}},
				{Category: "dear", Cost: &connector.Cost{Pool: "credits", Units: 60}, Matchers: []connector.Matcher{{PathPattern: "/dear"}}},
			},
			Pools: []connector.Pool{{Name: "credits", Capacity: 100, Window: 24 * time.Hour}},
		}
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, ""), nil })})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for path, class := range map[string]connector.Class{"/slow": connector.ClassRateLimited, "/dear": connector.ClassQuotaExhausted} {
			if _, err := get(ctx, client, "https://app.example"+path); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err := get(ctx, client, "https://app.example"+path)
			e := connector.AsError(err)
			if e == nil || e.Class != class || e.RetryAfter <= 0 || e.ResetAt.IsZero() {
				t.Errorf("%s: got %+v, want %s with a delay", path, e, class)
			}
			if time.Since(start) != 0 {
				t.Errorf("%s: failed only after %v", path, time.Since(start))
			}
		}
	})
}

func TestABudgetComesBackWithItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := connector.Limits{
			Limits: []connector.Limit{{Category: "write", Cost: &connector.Cost{Pool: "credits", Units: 1, Items: 10}, Matchers: []connector.Matcher{{}}}},
			Pools:  []connector.Pool{{Name: "credits", Capacity: 30, Window: time.Hour}},
		}
		client := newClient(t, Config{
			Limits: limits, Items: func(*http.Request) int64 { return 100 }, MaxWait: 2 * time.Hour,
			Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, ""), nil }),
		})
		start := time.Now()
		for range 4 {
			if _, err := get(t.Context(), client, "https://app.example/"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < time.Hour || took > time.Hour+2*time.Second {
			t.Errorf("the fourth call of 10 units of 30 an hour was sent after %v", took)
		}
	})
}

// hostFake grants from a fixed budget and remembers reports.
type hostFake struct {
	mu    sync.Mutex
	left  int64
	usage []connector.Usage
}

func (h *hostFake) Report(_ context.Context, r connector.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.usage = append(h.usage, r.Usage...)
}

func (h *hostFake) Grant(_ context.Context, r connector.GrantRequest) (connector.Grant, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	units := min(h.left, r.Want)
	if units < r.Units {
		return connector.Grant{Pool: r.Pool, RetryAt: time.Now().Add(9 * time.Hour)}, nil
	}
	h.left -= units
	return connector.Grant{Pool: r.Pool, Units: units, ExpiresAt: time.Now().Add(time.Minute)}, nil
}

func (h *hostFake) Stop() <-chan connector.Stop { return nil }

func TestTheHostsBudgetIsSpentToTheLastUnit(t *testing.T) {
	host := &hostFake{left: 50}
	client := newClient(t, Config{
		Limits: connector.Limits{
			Limits: []connector.Limit{{Category: "read", Cost: &connector.Cost{Pool: "credits", Units: 1}, Matchers: []connector.Matcher{{}}}},
			Pools:  []connector.Pool{{Name: "credits", Capacity: 1000, Window: time.Hour}},
		},
		Remaining: func(r *http.Response) (string, int64, bool) { return "credits", 7, true },
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, ""), nil }),
	})
	ctx := connector.WithHost(t.Context(), host)
	sent := 0
	for range 60 {
		_, err := get(ctx, client, "https://app.example/")
		if err == nil {
			sent++
			continue
		}
		if e := connector.AsError(err); e.Class != connector.ClassQuotaExhausted || e.ResetAt.IsZero() {
			t.Fatalf("got %+v, want QUOTA_EXHAUSTED with its reset time", e)
		}
	}
	if sent != 40 && sent != 50 {
		t.Errorf("%d calls of 50 units were sent", sent)
	}
	if len(host.usage) != sent || host.usage[0].Units != 1 || *host.usage[0].Remaining != 7 {
		t.Errorf("%d usages for %d calls, the first %+v", len(host.usage), sent, host.usage[0])
	}
}

func TestLogsAndErrorsHoldNoSecrets(t *testing.T) {
	var log bytes.Buffer
	client := newClient(t, Config{
		Tokens: &countingTokens{}, Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, "body-secret"), nil }),
	})
	if _, err := send(t.Context(), client, http.MethodPost, "https://app.example/token?client_secret=hush", strings.NewReader("refresh_token=hush")); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "/token") || strings.Contains(got, "hush") || strings.Contains(got, "t1") || strings.Contains(got, "body-secret") {
		t.Errorf("log: %s", got)
	}
}

func TestContradictionsFailAtConstruction(t *testing.T) {
	for name, c := range map[string]Config{
		"no addresses":  {},
		"a wildcard":    {Addresses: []connector.NetworkAddress{{Host: "*.example"}}},
		"a bad pattern": {Addresses: app, RetrySafe: []connector.Matcher{{PathPattern: "("}}},
		"a rate of 0":   {Addresses: app, Limits: connector.Limits{Limits: []connector.Limit{{Rates: []connector.Rate{{}}}}}},
		"unknown pool":  {Addresses: app, Limits: connector.Limits{Limits: []connector.Limit{{Cost: &connector.Cost{Pool: "x"}}}}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
