package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sluiceio/sluice/connector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arrivals are the times at which an app received requests.
type arrivals struct {
	mu sync.Mutex
	at []time.Time
}

func (a *arrivals) stamp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
}

// most is the largest number of arrivals in any closed window of a length.
func (a *arrivals) most(per time.Duration) int {
	slices.SortFunc(a.at, time.Time.Compare)
	most, from := 0, 0
	for i := range a.at {
		for a.at[i].Sub(a.at[from]) > per {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// TestNoWindowEverHoldsMoreThanTheLimit throws random limits, networks, losses
// and cancellations at a client and looks at the app's own log.
func TestNoWindowEverHoldsMoreThanTheLimit(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			rates := []connector.Rate{{Count: 1 + r.Int64N(12), Per: time.Duration(1+r.IntN(2000)) * time.Millisecond}, {Count: 30, Per: time.Minute}}
			var log arrivals
			var mu sync.Mutex
			roll := func(n int) int { mu.Lock(); defer mu.Unlock(); return r.IntN(n) }
			client := newClient(t, Config{
				Limits: connector.Limits{Limits: []connector.Limit{{Category: "all", Rates: rates, Matchers: []connector.Matcher{{}}}}},
				Retry:  Retry{MaxAttempts: 2},
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					there, back := time.Duration(roll(1500))*time.Millisecond, time.Duration(roll(1500))*time.Millisecond
					answered := make(chan struct{})
					go func() { // the request arrives even when the caller has given up
						<-time.After(there)
						log.stamp()
						<-time.After(back)
						close(answered)
					}()
					select {
					case <-answered:
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
					switch roll(8) {
					case 0:
						return nil, errors.New("connection reset")
					case 1:
						return answer(503, ""), nil
					case 2:
						return answer(429, ""), nil
					}
					return answer(200, ""), nil
				}),
			})
			var workers sync.WaitGroup
			for range 90 {
				workers.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if roll(4) == 0 {
						stop := time.AfterFunc(time.Duration(roll(60_000))*time.Millisecond, cancel)
						defer stop.Stop()
					}
					_, _ = get(ctx, client, "https://app.example/")
				})
			}
			workers.Wait()
			<-time.After(2 * time.Second) // stragglers
			for _, rate := range rates {
				if most := log.most(rate.Per); most > int(rate.Count) {
					t.Errorf("seed %d: %d requests arrived within %v, %d are allowed", seed, most, rate.Per, rate.Count)
				}
			}
			if len(log.at) < 40 {
				t.Errorf("seed %d: only %d requests arrived", seed, len(log.at))
			}
		})
	}
}

func TestAWindowForgetsButNotTooEarlyAndStaysSmall(t *testing.T) {
	now := time.Unix(1e9, 0)
	w := &window{size: 100_000, per: 24 * time.Hour}
	var ends []time.Time
	for i := range 100_000 {
		if ok, _ := w.free(1, 0, now); !ok {
			t.Fatalf("unit %d was refused", i)
		}
		w.take(1)
		w.answered(1, now, true)
		ends = append(ends, now)
		now = now.Add(100 * time.Millisecond)
	}
	if len(w.lines) > 2*maxLines {
		t.Errorf("%d lines are kept", len(w.lines))
	}
	ok, at := w.free(1, 0, now)
	if ok || at.Before(ends[0].Add(w.per)) || at.After(ends[0].Add(w.per+2*time.Minute)) {
		t.Errorf("the first unit comes back %v after it was spent", at.Sub(ends[0]))
	}
	back := 0
	for ; len(w.lines) > 0; back++ {
		_, _ = w.free(1, 0, w.lines[0].back)
		if back > maxLines*3 {
			t.Fatal("lines do not go away")
		}
	}
	if w.kept != 0 || w.taken != 0 {
		t.Errorf("%d kept and %d taken when all came back", w.kept, w.taken)
	}
}

func TestAPlaceComesBackLaterThanItsWindow(t *testing.T) {
	w, now := &window{size: 1, per: time.Second}, time.Unix(1e9, 0)
	w.take(1)
	w.answered(1, now, true)
	if ok, _ := w.free(1, 0, now.Add(time.Second)); ok {
		t.Error("two requests could arrive exactly a window apart, and an app may count both")
	}
	if ok, _ := w.free(1, 0, now.Add(time.Second+2*time.Millisecond)); !ok {
		t.Error("the place did not come back")
	}
}

func TestTheTokenDoesNotFollowAChainOfRedirects(t *testing.T) {
	seen := map[string]string{}
	next := map[string]string{
		"app.example/a": "https://app.example/b", "app.example/b": "https://files.example/c", "files.example/c": "https://files.example/d",
		"files.example/d": "https://app.example/e", "app.example/plain": "https://sub.app.example/x",
	}
	client := newClient(t, Config{
		Addresses: []connector.NetworkAddress{{Host: "app.example"}, {Host: "files.example"}, {Host: "sub.app.example"}}, Tokens: &countingTokens{},
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			key := r.URL.Host + r.URL.Path
			seen[key] = r.Header.Get("Authorization")
			if to := next[key]; to != "" {
				return answer(302, "", "Location", to), nil
			}
			return answer(200, ""), nil
		}),
	})
	if _, err := get(t.Context(), client, "https://app.example/a"); err != nil {
		t.Fatal(err)
	}
	own, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example/plain", nil)
	own.Header.Set("Authorization", "the caller's own")
	resp, err := client.Do(own)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for key, want := range map[string]string{
		"app.example/a": "Scheme t1", "app.example/b": "Scheme t1", "files.example/c": "", "files.example/d": "", "app.example/e": "",
		"app.example/plain": "the caller's own", "sub.app.example/x": "",
	} {
		if got, ok := seen[key]; got != want || !ok {
			t.Errorf("%s was sent %q (asked: %v), want %q", key, got, ok, want)
		}
	}
}

// slowTokens takes a second to answer.
type slowTokens struct {
	calls, told atomic.Int64
	value       func(call int64) (string, error)
}

func (s *slowTokens) Token(ctx context.Context) (string, error) {
	n := s.calls.Add(1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return s.value(n)
}

func (s *slowTokens) Invalidate(context.Context, string) { s.told.Add(1) }

func TestFiftyRequestsShareOneTokenCall(t *testing.T) {
	for name, c := range map[string]struct {
		value func(int64) (string, error)
		calls int64
		told  int64
		class connector.Class
	}{
		"a good token":      {func(int64) (string, error) { return "good", nil }, 1, 0, ""},
		"a refused login":   {func(int64) (string, error) { return "", connector.Errorf(connector.ClassAuth, "NO", "no") }, 1, 0, connector.ClassAuth},
		"an expired token":  {func(n int64) (string, error) { return []string{"old", "good"}[min(n-1, 1)], nil }, 2, 1, ""},
		"a token that died": {func(int64) (string, error) { return "old", nil }, 2, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tokens := &slowTokens{value: c.value}
				client := newClient(t, Config{Tokens: tokens, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("Authorization") == "old" {
						return answer(401, ""), nil
					}
					return answer(200, ""), nil
				})})
				var workers sync.WaitGroup
				for range 50 {
					workers.Go(func() {
						status, err := get(t.Context(), client, "https://app.example/")
						if connector.ClassOf(err) != c.class || err == nil && status != 200 && name != "a token that died" {
							t.Errorf("got %d, %v", status, err)
						}
					})
				}
				workers.Wait()
				// A source that goes on giving the refused value is asked anew by everyone, in turn.
				if name != "a token that died" && tokens.calls.Load() != c.calls || tokens.told.Load() != c.told {
					t.Errorf("%d calls, %d values refused; want %d and %d", tokens.calls.Load(), tokens.told.Load(), c.calls, c.told)
				}
			})
		})
	}
}

func TestAnImpatientAskerDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &slowTokens{value: func(int64) (string, error) { return "good", nil }}
		client := newClient(t, Config{Tokens: tokens, Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, ""), nil })})
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var workers sync.WaitGroup
		workers.Go(func() {
			if _, err := get(hasty, client, "https://app.example/"); connector.ClassOf(err) != connector.ClassCancelled {
				t.Errorf("the hasty one got %v", err)
			}
		})
		synctest.Wait()
		workers.Go(func() {
			if status, err := send(t.Context(), client, http.MethodPost, "https://app.example/", nil); status != 200 {
				t.Errorf("the patient one got %d, %v", status, err)
			}
		})
		workers.Wait()
	})
}

func TestRequestsForATokenCarryNone(t *testing.T) {
	var client *http.Client
	synctest.Test(t, func(t *testing.T) {
		nested := &nestedTokens{client: func() *http.Client { return client }}
		client = newClient(t, Config{Tokens: nested, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return answer(200, r.URL.Path+r.Header.Get("Authorization")), nil
		})})
		if status, err := get(t.Context(), client, "https://app.example/x"); status != 200 || nested.got != "/token" {
			t.Errorf("got %d, %v; the token endpoint saw %q", status, err, nested.got)
		}
	})
}

// nestedTokens asks through the client it serves.
type nestedTokens struct {
	client func() *http.Client
	got    string
}

func (n *nestedTokens) Token(ctx context.Context) (string, error) {
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://app.example/token", nil)
	resp, err := n.client().Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	n.got = string(b)
	return "good", err
}

func (n *nestedTokens) Invalidate(context.Context, string) {}

func TestWhoWaitsForBudgetHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := connector.Limits{
			Limits: []connector.Limit{
				{Category: "dear", Shared: "calls", MaxConcurrency: 1, Cost: &connector.Cost{Pool: "credits", Units: 60}, Matchers: []connector.Matcher{{PathPattern: "/dear"}}},
				{Category: "cheap", Shared: "calls", MaxConcurrency: 1, Matchers: []connector.Matcher{{PathPattern: "/cheap"}}},
			},
			Pools: []connector.Pool{{Name: "credits", Capacity: 100, Window: 30 * time.Minute}},
		}
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, ""), nil })})
		began := time.Now()
		var workers sync.WaitGroup
		for range 3 {
			workers.Go(func() { _, _ = get(t.Context(), client, "https://app.example/dear") })
		}
		synctest.Wait()
		if status, err := get(t.Context(), client, "https://app.example/cheap"); status != 200 || time.Since(began) != 0 {
			t.Errorf("got %d, %v after %v", status, err, time.Since(began))
		}
		workers.Wait()
		if took := time.Since(began); took < time.Hour || took > time.Hour+time.Minute {
			t.Errorf("three calls of 60 in a pool of 100 took %v, want two windows", took)
		}
	})
}

func TestTheLastInTheQueueKnowsHowLongItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := connector.Limits{Limits: []connector.Limit{{Category: "all", Rates: []connector.Rate{{Count: 10, Per: time.Minute}}, Matchers: []connector.Matcher{{}}}}}
		var order []int
		var mu sync.Mutex
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			var n int
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
			order = append(order, n)
			return answer(200, ""), nil
		})})
		var workers sync.WaitGroup
		for i := range 35 {
			workers.Go(func() { _, _ = get(t.Context(), client, fmt.Sprintf("https://app.example/%d", i)) })
			synctest.Wait()
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		_, err := get(ctx, client, "https://app.example/99") // would be the 36th: three minutes
		if e := connector.AsError(err); e == nil || e.Class != connector.ClassRateLimited || e.RetryAfter < 170*time.Second || time.Since(began) != 0 {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		workers.Wait()
		// Those of one minute go together; what counts is who goes in which minute.
		if !slices.IsSortedFunc(order, func(a, b int) int { return a/10 - b/10 }) || len(order) != 35 {
			t.Errorf("the order was %v", order)
		}
	})
}

func TestWhoCameFirstGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := connector.Limits{Limits: []connector.Limit{{Category: "all", MaxConcurrency: 1, Matchers: []connector.Matcher{{}}}}}
		var order []string
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			order = append(order, r.URL.Path) // one at a time
			<-time.After(time.Second)
			return answer(200, ""), nil
		})})
		var want []string
		var workers sync.WaitGroup
		for i := range 30 {
			path := fmt.Sprintf("/%d", i)
			want = append(want, path)
			workers.Go(func() { _, _ = get(t.Context(), client, "https://app.example"+path) })
			synctest.Wait()
		}
		workers.Wait()
		if !slices.Equal(order, want) {
			t.Errorf("the order was %v", order)
		}
	})
}

func TestWhoCannotWaitForAPauseLearnsItAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := connector.Limits{Limits: []connector.Limit{{Category: "all", MaxConcurrency: 1, Matchers: []connector.Matcher{{}}}}}
		client := newClient(t, Config{Limits: limits, Retry: Retry{MaxAttempts: 2}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-time.After(time.Second)
			return answer(429, "", "Retry-After", "1800"), nil
		})})
		var workers sync.WaitGroup
		workers.Go(func() { _, _ = get(t.Context(), client, "https://app.example/") })
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := get(ctx, client, "https://app.example/")
		if e := connector.AsError(err); e == nil || e.Class != connector.ClassRateLimited || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		workers.Wait()
	})
}

func TestASpentPoolIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		reset := time.Now().Add(40 * time.Minute)
		limits := connector.Limits{
			Limits: []connector.Limit{{Category: "all", Cost: &connector.Cost{Pool: "credits", Units: 1}, Matchers: []connector.Matcher{{}}}},
			Pools:  []connector.Pool{{Name: "credits", Capacity: 100, Window: time.Hour}},
		}
		client := newClient(t, Config{
			Limits:         limits,
			QuotaExhausted: func(_ *http.Response, body []byte) (bool, time.Time) { return string(body) == "spent", reset },
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				if calls.Add(1) == 1 {
					return answer(429, "spent"), nil
				}
				return answer(200, ""), nil
			}),
		})
		for range 3 {
			_, err := send(t.Context(), client, http.MethodPost, "https://app.example/", nil)
			if e := connector.AsError(err); e == nil || e.Class != connector.ClassQuotaExhausted || !e.ResetAt.Equal(reset) || e.RetryAfter != 40*time.Minute {
				t.Errorf("got %+v", e)
			}
		}
		if calls.Load() != 1 {
			t.Errorf("the app was asked %d times", calls.Load())
		}
		<-time.After(40 * time.Minute)
		if status, err := get(t.Context(), client, "https://app.example/"); status != 200 {
			t.Errorf("after the reset: %d, %v", status, err)
		}
	})
}

// ledgerless keeps no ledger, and is of a type that cannot be compared.
type ledgerless struct {
	_     []int
	asked *atomic.Int64
	usage *atomic.Int64
}

func (h ledgerless) Report(_ context.Context, r connector.Report) {
	h.usage.Add(int64(len(r.Usage)))
}
func (h ledgerless) Grant(context.Context, connector.GrantRequest) (connector.Grant, error) {
	h.asked.Add(1)
	return connector.Grant{Unlimited: true}, nil
}
func (h ledgerless) Stop() <-chan connector.Stop { return nil }

func TestAHostWithoutLedgerLeavesItToTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := ledgerless{asked: new(atomic.Int64), usage: new(atomic.Int64)}
		limits := connector.Limits{
			Limits: []connector.Limit{{Category: "all", Cost: &connector.Cost{Pool: "credits", Units: 40}, Matchers: []connector.Matcher{{}}}},
			Pools:  []connector.Pool{{Name: "credits", Capacity: 100, Window: time.Hour}},
		}
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, ""), nil })})
		ctx, cancel := context.WithTimeout(connector.WithHost(t.Context(), host), time.Minute)
		defer cancel()
		for range 2 {
			if _, err := get(ctx, client, "https://app.example/"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := get(ctx, client, "https://app.example/"); connector.ClassOf(err) != connector.ClassQuotaExhausted {
			t.Errorf("the third call of 40 of 100: %v", err)
		}
		if host.usage.Load() != 2 {
			t.Errorf("%d usages for 2 calls", host.usage.Load())
		}
	})
}

func TestARequestThatWasNeverSentCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		limits := connector.Limits{
			Limits: []connector.Limit{{Category: "all", Rates: []connector.Rate{{Count: 1, Per: time.Hour}}, Cost: &connector.Cost{Pool: "credits", Units: 100}, Matchers: []connector.Matcher{{}}}},
			Pools:  []connector.Pool{{Name: "credits", Capacity: 100, Window: time.Hour}},
		}
		host := ledgerless{asked: new(atomic.Int64), usage: new(atomic.Int64)}
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			if calls.Add(1) < 3 {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
			}
			return answer(201, ""), nil
		})})
		status, err := send(connector.WithHost(t.Context(), host), client, http.MethodPost, "https://app.example/", strings.NewReader("x"))
		if status != 201 || calls.Load() != 3 || host.usage.Load() != 1 {
			t.Errorf("got %d, %v after %d calls and %d usages", status, err, calls.Load(), host.usage.Load())
		}
	})
}

func TestALeaseIsNotSpentOnWhatWasNeverSent(t *testing.T) {
	var calls atomic.Int64
	host := &hostFake{left: 100}
	limits := connector.Limits{
		Limits: []connector.Limit{{Category: "all", Cost: &connector.Cost{Pool: "credits", Units: 100}, Matchers: []connector.Matcher{{}}}},
		Pools:  []connector.Pool{{Name: "credits", Capacity: 1000, Window: time.Hour}},
	}
	client := newClient(t, Config{Limits: limits, Retry: Retry{MaxAttempts: 1}, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		if calls.Add(1) == 1 {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}
		return answer(201, ""), nil
	})})
	ctx := connector.WithHost(t.Context(), host)
	if _, err := get(ctx, client, "https://app.example/"); connector.ClassOf(err) != connector.ClassTransient {
		t.Errorf("got %v", err)
	}
	if status, err := get(ctx, client, "https://app.example/"); status != 201 {
		t.Errorf("the units granted for the first call do not serve the second: %d, %v", status, err)
	}
}

func TestABodyThatCannotBeHadAgainIsSentOnce(t *testing.T) {
	for name, status := range map[string]int{"a 503": 503, "a 429": 429, "an expired token": 401} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			client := newClient(t, Config{Tokens: &countingTokens{}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				calls.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				return answer(status, "why"), nil
			})})
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://app.example/", io.MultiReader(strings.NewReader("once")))
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != status || string(body) != "why" || calls.Load() != 1 {
				t.Errorf("got %d %q after %d calls", resp.StatusCode, body, calls.Load())
			}
		})
	}
}

func TestAPauseHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		limits := connector.Limits{Limits: []connector.Limit{{Category: "all", MaxConcurrency: 1, Matchers: []connector.Matcher{{}}}}}
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/ill" && calls.Add(1) == 1 {
				return answer(503, "", "Retry-After", "600"), nil
			}
			return answer(200, ""), nil
		})})
		began := time.Now()
		var workers sync.WaitGroup
		workers.Go(func() { _, _ = get(t.Context(), client, "https://app.example/ill") })
		synctest.Wait()
		if status, err := get(t.Context(), client, "https://app.example/well"); status != 200 || time.Since(began) != 0 {
			t.Errorf("got %d, %v after %v", status, err, time.Since(began))
		}
		workers.Wait()
		if took := time.Since(began); took != 10*time.Minute || calls.Load() != 2 {
			t.Errorf("the server's own delay of 10m was %v, calls %d", took, calls.Load())
		}
	})
}

func TestA429BeyondTheDeadlineIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		limits := connector.Limits{Limits: []connector.Limit{{Category: "all", Matchers: []connector.Matcher{{}}}}}
		client := newClient(t, Config{Limits: limits, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			calls.Add(1)
			return answer(429, "slow down", "Retry-After", "3000"), nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if status, err := get(ctx, client, "https://app.example/"); status != 429 || err != nil || time.Since(began) != 0 {
			t.Errorf("got %d, %v after %v", status, err, time.Since(began))
		}
		_, err := get(ctx, client, "https://app.example/")
		if e := connector.AsError(err); e == nil || e.Class != connector.ClassRateLimited || e.RetryAfter != 50*time.Minute || calls.Load() != 1 {
			t.Errorf("the next one got %v after %d calls, want RATE_LIMITED without asking", err, calls.Load())
		}
	})
}

func TestFailuresOfTheNetworkAreTransientAndDiscreet(t *testing.T) {
	client := newClient(t, Config{Retry: Retry{MaxAttempts: 1}, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: "https://app.example/path?refresh_token=hush", Err: errors.New("connection reset")}
	})})
	_, err := get(t.Context(), client, "https://app.example/path?refresh_token=hush&criteria=hush")
	e := connector.AsError(err)
	if e.Class != connector.ClassTransient || e.Code != "NETWORK" || !strings.Contains(e.Message, "GET https://app.example:443/path") || strings.Contains(e.Error(), "hush") {
		t.Errorf("got %+v", e)
	}
	if text := Redact(fmt.Errorf("reading: %w", err)).Error(); strings.Contains(text, "hush") || !strings.Contains(text, "connection reset") {
		t.Errorf("redacted: %s", text)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := get(gone, client, "https://app.example/path?token=hush"); connector.ClassOf(err) != connector.ClassCancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
}

// TestOverARealConnection goes through net/http with retries, redirects and
// bodies, and leaves no goroutine.
func TestOverARealConnection(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case calls.Add(1) == 1:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			_, _ = io.Copy(w, r.Body)
		}
	}))
	defer server.Close()
	out, err := New(Config{Addresses: []connector.NetworkAddress{addressOf(t, server.URL)}, Retry: Retry{Base: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	resp, err := out.HTTP().Post(server.URL+"/moved", "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "body" || calls.Load() != 2 {
		t.Errorf("got %d %q after %d calls", resp.StatusCode, body, calls.Load())
	}
}
