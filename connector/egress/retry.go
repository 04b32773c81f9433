package egress

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// retryTransport repeats requests that are safe to repeat: those with an
// idempotent method (RFC 9110, section 9.2.2), those declared safe, any that
// was answered 429 (which says that it was not carried out), and any for which
// no connection was made.
type retryTransport struct {
	next   http.RoundTripper
	safe   matcherSet
	retry  Retry
	limits *limiter
}

func (t *retryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	safe := isSafe(r, t.safe)
	for attempt := 1; ; attempt++ {
		resp, err := t.next.RoundTrip(r)
		if attempt >= t.retry.MaxAttempts || r.Context().Err() != nil || !worthRepeating(resp, err, safe) {
			return resp, err
		}
		again, ok := rewind(r)
		if !ok {
			return resp, err
		}
		pause := t.pause(resp, attempt)
		if t.tooLong(r, resp, pause) {
			closeBody(again)
			return resp, err // the answer says more than "no time left"
		}
		if resp != nil {
			drain(resp) // before the wait: an open body holds a place
		}
		if e := t.wait(r, resp, pause); e != nil {
			closeBody(again)
			if refused(resp, err) {
				e = unsentError{e}
			}
			return nil, e
		}
		r = again
	}
}

func isSafe(r *http.Request, declared matcherSet) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return isIdempotent(r.Context()) || declared.fits(r)
}

func worthRepeating(resp *http.Response, err error, safe bool) bool {
	if err != nil {
		var own *connector.Error
		if errors.As(err, &own) { // ours: a limit, a token, a refused host
			return false
		}
		return safe || notSent(err)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return safe
	}
	return false
}

// refused reports whether an attempt was certainly not carried out.
func refused(resp *http.Response, err error) bool {
	return err != nil && NotSent(err) || err == nil && resp.StatusCode == http.StatusTooManyRequests
}

// pause is the server's own delay, or one that doubles with each attempt, plus
// or minus a quarter so that workers do not come back all at once.
func (t *retryTransport) pause(resp *http.Response, attempt int) time.Duration {
	if d, ok := retryAfter(resp); ok {
		return d
	}
	d := t.retry.Max
	if shift := attempt - 1; shift < 20 {
		d = min(t.retry.Base<<shift, t.retry.Max)
	}
	return d*3/4 + rand.N(d/2+1)
}

// retryAfter reads the header of RFC 9110, section 10.2.3.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp == nil {
		return 0, false
	}
	v := resp.Header.Get("Retry-After")
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(time.Until(at), 0), true
	}
	return 0, false
}

// tooLong reports whether there is no time for a pause. After a 429 it lets
// every worker of the category pause, whoever has the time.
func (t *retryTransport) tooLong(r *http.Request, resp *http.Response, pause time.Duration) bool {
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		t.limits.pause(r, time.Now().Add(pause))
	}
	return t.limits.affordable(r.Context(), pause, connector.WaitingRetry, "trying again") != nil
}

func (t *retryTransport) wait(r *http.Request, resp *http.Response, pause time.Duration) error {
	why := "the app could not be reached"
	if resp != nil {
		why = "the app answered " + strconv.Itoa(resp.StatusCode)
	}
	return t.limits.sleep(r.Context(), pause, connector.WaitingRetry, "waiting before trying again: "+why)
}

// drain reads a small rest of the body, so that its connection can be used again.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, peekLimit) // the connection is merely not reused
	resp.Body.Close()
}

// sleep waits for d, unless that would outlast the deadline or the longest wait
// allowed: then it fails at once.
func (l *limiter) sleep(ctx context.Context, d time.Duration, waiting connector.Waiting, activity string) error {
	if d <= 0 {
		return ctx.Err()
	}
	if err := l.affordable(ctx, d, waiting, activity); err != nil {
		return err
	}
	l.tell(ctx, waiting, activity, time.Now().Add(d))
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
