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

// notSent reports whether a request certainly did not reach the app: no
// connection was made.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
