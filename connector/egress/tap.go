package egress

import (
	"context"
	"net/http"
)

// Tap stands between a [Client] and the wire: it is given what sends the requests
// and returns what is to send them instead.
type Tap func(next http.RoundTripper) http.RoundTripper

type tapKey struct{}

// WithTap returns a context whose requests pass through a tap, below limits,
// tokens and repetition: each attempt is seen as it is sent. Package recording
// listens there, and answers there when a recording is replayed.
func WithTap(ctx context.Context, tap Tap) context.Context {
	return context.WithValue(ctx, tapKey{}, tap)
}

// tapTransport hands requests to the tap in their context.
type tapTransport struct{ next http.RoundTripper }

func (t tapTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if tap, ok := r.Context().Value(tapKey{}).(Tap); ok {
		return tap(t.next).RoundTrip(r)
	}
	return t.next.RoundTrip(r)
}
