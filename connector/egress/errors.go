package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"

	"github.com/sluiceio/sluice/connector"
)

// explain makes every failure a [connector.Error] that names the call by method
// and URL without its query: TRANSIENT for those of the network, CANCELLED when
// the caller gave up.
func explain(r *http.Request, err error) error {
	var own *connector.Error
	if errors.As(err, &own) {
		return err
	}
	call := r.Method + " " + origin(r.URL) + r.URL.EscapedPath()
	if r.Context().Err() != nil {
		return &connector.Error{Class: connector.ClassCancelled, Code: "CANCELLED", Message: call + " was given up: " + r.Context().Err().Error(), Cause: errors.Join(r.Context().Err(), err)}
	}
	e := &connector.Error{Class: connector.ClassTransient, Code: "NETWORK", Message: call + " got no answer: " + Redact(err).Error(), Cause: err}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		e.Code = "TIMEOUT"
	}
	return e
}

// Redact returns an error whose text holds no query, fragment or user of a URL,
// which may be secrets or values of records. It is for errors of an
// [http.Client], which puts the whole URL before what went wrong.
func Redact(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	clean := *u
	clean.URL = "(URL withheld)"
	if parsed, e := url.Parse(u.URL); e == nil {
		parsed.RawQuery, parsed.ForceQuery, parsed.Fragment, parsed.RawFragment, parsed.User = "", false, "", "", nil
		clean.URL = parsed.String()
	}
	clean.Err = Redact(u.Err)
	return &clean
}

// unsentError marks the failure of a request that the app did not carry out: it
// never left, or what left was answered 429.
type unsentError struct{ error }

func (e unsentError) Unwrap() error { return e.error }

// NotSent reports whether a request that failed with err certainly had no
// effect, because it was not sent: a host that is not allowed, a wait for a
// limit or a token that came to nothing, a connection that could not be made. A
// call that must not be repeated may be made again after it. Of a request that
// was repeated, being safe to repeat, it speaks of the last attempt.
func NotSent(err error) bool {
	var unsent unsentError
	return errors.As(err, &unsent) || notSent(err)
}

// notSent reports whether a request certainly did not reach the app: no
// connection was made.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
