// Package egress is the only road out of a Go connector: an [http.Client] that
// refuses every host outside the connector's network addresses, obeys the app's
// limits, repeats what is safe to repeat, keeps the access token fresh, and
// tells nobody a secret.
//
// [New] composes it from small [http.RoundTripper]s, each with one concern; the
// order is argued in egress.go. What concerns the host of a sync (usage,
// progress while waiting, grants of budget) goes to the [connector.Host] in the
// request's context, so one [Client] serves all calls of a session.
package egress
