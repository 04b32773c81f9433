package wire

import (
	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var waits = newEnum(map[connector.Waiting]connectorv1.Waiting{
	connector.WaitingApp:    connectorv1.Waiting_WAITING_APP,
	connector.WaitingLimit:  connectorv1.Waiting_WAITING_LIMIT,
	connector.WaitingBudget: connectorv1.Waiting_WAITING_BUDGET,
	connector.WaitingRetry:  connectorv1.Waiting_WAITING_RETRY,
	connector.WaitingHost:   connectorv1.Waiting_WAITING_HOST,
})

var stopModes = newEnum(map[connector.StopMode]connectorv1.StopMode{
	connector.StopDrain: connectorv1.StopMode_STOP_MODE_DRAIN,
	connector.StopNow:   connectorv1.StopMode_STOP_MODE_NOW,
})

// Progress makes a progress report.
func Progress(p connector.Progress) (*connectorv1.Progress, error) {
	waiting, err := waits.outOr("waiting", p.Waiting, connectorv1.Waiting_WAITING_UNSPECIFIED)
	return &connectorv1.Progress{
		Stream: p.Stream, Activity: p.Activity, Waiting: waiting, Until: moment(p.Until), Done: p.Done, Total: p.Total,
	}, first(err, checkProgress(p))
}

// ProgressFrom reads a progress report.
func ProgressFrom(p *connectorv1.Progress) (connector.Progress, error) {
	waiting, err1 := waits.inOr("waiting", p.GetWaiting(), connector.WaitingNone)
	until, err2 := momentFrom("until", p.GetUntil())
	out := connector.Progress{
		Stream: p.GetStream(), Activity: p.GetActivity(), Waiting: waiting, Until: until, Done: p.GetDone(), Total: p.GetTotal(),
	}
	return out, first(err1, err2, checkProgress(out))
}

func checkProgress(p connector.Progress) error {
	return first(required("activity", p.Activity), notNegative("done", p.Done), notNegative("total", p.Total))
}

// Stop makes a request to stop.
func Stop(s connector.Stop) (*connectorv1.Stop, error) {
	mode, err := stopModes.outOr("mode", s.Mode, connectorv1.StopMode_STOP_MODE_DRAIN)
	return &connectorv1.Stop{Mode: mode, Deadline: moment(s.Deadline)}, first(err, requiredMoment("deadline", s.Deadline))
}

// StopFrom reads a request to stop.
func StopFrom(s *connectorv1.Stop) (connector.Stop, error) {
	mode, err1 := stopModes.inOr("mode", s.GetMode(), connector.StopDrain)
	deadline, err2 := momentFrom("deadline", s.GetDeadline())
	return connector.Stop{Mode: mode, Deadline: deadline}, first(err1, err2, requiredMoment("deadline", deadline))
}

// Keep asks the host to keep values.
func Keep(k connector.Keep) (*connectorv1.Keep, error) {
	parameters, err1 := Answers("parameters", k.Parameters)
	secrets, err2 := Answers("secrets", k.Secrets)
	return &connectorv1.Keep{Parameters: parameters, Secrets: secrets, ExpiresAt: moment(k.ExpiresAt)}, first(err1, err2)
}

// KeepFrom reads what is to be kept.
func KeepFrom(k *connectorv1.Keep) (connector.Keep, error) {
	parameters, err1 := AnswersFrom("parameters", k.GetParameters())
	secrets, err2 := AnswersFrom("secrets", k.GetSecrets())
	expires, err3 := momentFrom("expires_at", k.GetExpiresAt())
	return connector.Keep{Parameters: parameters, Secrets: secrets, ExpiresAt: expires}, first(err1, err2, err3)
}

// Usage reports what was spent.
func Usage(u connector.Usage) (*connectorv1.Usage, error) {
	return &connectorv1.Usage{
		Category: u.Category, Requests: u.Requests, Pool: u.Pool, Units: u.Units, Remaining: u.Remaining,
	}, checkUsage(u)
}

// UsageFrom reads what was spent.
func UsageFrom(u *connectorv1.Usage) (connector.Usage, error) {
	out := connector.Usage{Category: u.GetCategory(), Requests: u.GetRequests(), Pool: u.GetPool(), Units: u.GetUnits()}
	if u != nil {
		out.Remaining = u.Remaining
	}
	return out, checkUsage(out)
}

func checkUsage(u connector.Usage) error {
	if u.Pool == "" && u.Units != 0 {
		return broken("pool", "is required where units are set")
	}
	return first(required("category", u.Category), positive("requests", u.Requests), notNegative("units", u.Units))
}

// GrantRequest asks for budget. ID links the answer to it.
func GrantRequest(id int64, r connector.GrantRequest) (*connectorv1.GrantRequest, error) {
	return &connectorv1.GrantRequest{Id: id, Pool: r.Pool, Units: r.Units, Want: r.Want, Returned: r.Returned}, first(positive("id", id), checkGrantRequest(r))
}

// GrantRequestFrom reads a request for budget and its id.
func GrantRequestFrom(r *connectorv1.GrantRequest) (id int64, out connector.GrantRequest, err error) {
	out = connector.GrantRequest{Pool: r.GetPool(), Units: r.GetUnits(), Want: r.GetWant(), Returned: r.GetReturned()}
	return r.GetId(), out, first(positive("id", r.GetId()), checkGrantRequest(out))
}

func checkGrantRequest(r connector.GrantRequest) error {
	return first(required("pool", r.Pool), positive("units", r.Units), notNegative("want", r.Want), notNegative("returned", r.Returned))
}

// Grant answers the request with an id.
func Grant(id int64, g connector.Grant) (*connectorv1.Grant, error) {
	return &connectorv1.Grant{
		Id: id, Pool: g.Pool, Units: g.Units, ExpiresAt: moment(g.ExpiresAt), RetryAt: moment(g.RetryAt), Unlimited: g.Unlimited,
	}, first(positive("id", id), checkGrant(g))
}

// GrantFrom reads an answer and the id of its request.
func GrantFrom(g *connectorv1.Grant) (id int64, out connector.Grant, err error) {
	expires, err1 := momentFrom("expires_at", g.GetExpiresAt())
	retry, err2 := momentFrom("retry_at", g.GetRetryAt())
	out = connector.Grant{Pool: g.GetPool(), Units: g.GetUnits(), ExpiresAt: expires, RetryAt: retry, Unlimited: g.GetUnlimited()}
	return g.GetId(), out, first(positive("id", g.GetId()), err1, err2, checkGrant(out))
}

func checkGrant(g connector.Grant) error {
	err := first(required("pool", g.Pool), notNegative("units", g.Units))
	switch {
	case err != nil || g.Unlimited:
		return err
	case g.Units == 0:
		return requiredMoment("retry_at", g.RetryAt)
	}
	return requiredMoment("expires_at", g.ExpiresAt)
}
