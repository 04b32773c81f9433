package zohosim

import (
	"sync"
	"time"
)

// creditWindow is Zoho's rolling window: spent credits come back 24 hours after they were spent.
const creditWindow = 24 * time.Hour

// Credits is the state of the organisation's API credits.
type Credits struct {
	// Limit is the allowance in 24 hours, add-ons included; Own leaves them out.
	Limit int `json:"limit"`
	Own   int `json:"own"`
	// Spent is what the last 24 hours used, Remaining what is left.
	Spent     int `json:"spent"`
	Remaining int `json:"remaining"`
	// SpentEver counts all credits since the start or the last reset.
	SpentEver int `json:"spent_ever"`
}

// ledger records credits by the second they were spent in.
type ledger struct {
	mu      sync.Mutex
	entries []spend // ordered by second
	sum     int
	ever    int
}

type spend struct {
	second int64
	amount int
}

// take spends n credits unless the limit (0 is none) would be exceeded, and tells what has been spent in the window.
func (l *ledger) take(now time.Time, n, limit int) (spent int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prune(now)
	if limit > 0 && l.sum+n > limit {
		return l.sum, false
	}
	if n > 0 {
		l.add(now.Unix(), n)
	}
	return l.sum, true
}

func (l *ledger) add(second int64, n int) {
	if last := len(l.entries) - 1; last >= 0 && l.entries[last].second >= second {
		l.entries[last].amount += n
	} else {
		l.entries = append(l.entries, spend{second, n})
	}
	l.sum += n
	l.ever += n
}

func (l *ledger) prune(now time.Time) {
	edge := now.Add(-creditWindow).Unix()
	cut := 0
	for cut < len(l.entries) && l.entries[cut].second <= edge {
		l.sum -= l.entries[cut].amount
		cut++
	}
	l.entries = l.entries[cut:]
}

func (l *ledger) spent(now time.Time) (window, ever int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prune(now)
	return l.sum, l.ever
}

func (l *ledger) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.sum, l.ever = nil, 0, 0
}

// gauge counts calls in flight and remembers the peaks.
type gauge struct {
	mu              sync.Mutex
	calls, heavy    int
	peak, heavyPeak int
}

// enter admits a call unless a limit (0 is none) is reached.
func (g *gauge) enter(heavy bool, limit, heavyLimit int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if limit > 0 && g.calls >= limit || heavy && heavyLimit > 0 && g.heavy >= heavyLimit {
		return false
	}
	g.calls++
	g.peak = max(g.peak, g.calls)
	if heavy {
		g.heavy++
		g.heavyPeak = max(g.heavyPeak, g.heavy)
	}
	return true
}

func (g *gauge) leave(heavy bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls--
	if heavy {
		g.heavy--
	}
}

func (g *gauge) peaks() (calls, heavy int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.peak, g.heavyPeak
}

// pace counts events in a sliding minute, for the bulk read download limit.
type pace struct {
	mu      sync.Mutex
	times   []time.Time
	blocked time.Time
}

// allow admits an event unless limit events happened in the last minute; the refusal blocks for a minute, as Zoho does.
func (p *pace) allow(now time.Time, limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.blocked) {
		return false
	}
	for len(p.times) > 0 && now.Sub(p.times[0]) >= time.Minute {
		p.times = p.times[1:]
	}
	if len(p.times) >= limit {
		p.blocked = now.Add(time.Minute)
		return false
	}
	p.times = append(p.times, now)
	return true
}
