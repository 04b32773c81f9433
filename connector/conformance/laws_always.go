package conformance

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// The laws that others refer to.
const (
	lawNoPanic = "L-901"
	lawEnds    = "L-902"
)

// alwaysLaws come last: they look at everything that was said.
var alwaysLaws = []Law{
	{lawNoPanic, AreaAlways, "The connector never panics.", func(x *exam) error {
		if len(x.panics) > 0 {
			return breach("it panicked in %s", x.panics[0])
		}
		return nil
	}},
	{lawEnds, AreaAlways, "Every call ends.", func(x *exam) error { return firstOf(x.overdue) }},
	{"L-903", AreaAlways, "No error, report, state, handle or outcome holds a secret.", noSecrets},
	{"L-904", AreaAlways, "No error holds the content of a record.", func(x *exam) error {
		for _, t := range x.outbounds {
			if len(t.leaks) > 0 {
				return breach("%s", t.leaks[0])
			}
		}
		return nil
	}},
	{"L-905", AreaAlways, "Every error has one of the contract's classes, and a message.", goodErrors},
	{"L-906", AreaAlways, "During a run something is heard at least every 10 seconds.", func(x *exam) error { return firstOf(x.silent) }},
	{"L-907", AreaAlways, "A run reports what it is doing, in words.", inWords},
	{"L-908", AreaAlways, "Reported usage names a category and a pool of the connection's limits.", goodUsage},
}

func noSecrets(x *exam) error {
	secrets := x.secrets()
	if len(secrets) == 0 {
		return skip("no secret of at least 6 bytes was given")
	}
	for _, s := range x.said {
		for _, secret := range secrets {
			if strings.Contains(s.text, secret) {
				return breach("%s holds a secret", s.where)
			}
		}
	}
	return nil
}

func goodErrors(x *exam) error {
	judge := func(where string, e *connector.Error) error {
		if !slices.Contains(connector.Classes, e.Class) || e.Message == "" {
			return breach("the error of %s has the class %q and the message %q", where, e.Class, e.Message)
		}
		return nil
	}
	for _, seen := range x.errs {
		if e, ok := errors.AsType[*connector.Error](seen.err); ok {
			if err := judge(seen.where, e); err != nil {
				return err
			}
		}
	}
	for _, t := range x.outbounds {
		for _, all := range t.outcomes {
			for _, o := range all {
				if o.err == nil || o.err.Message == "" {
					continue // that is L-505
				}
				if err := judge("an outcome in "+t.script.name, o.err); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// hearings are those of the plain conversations.
func (x *exam) hearings() map[string]*hearing {
	all := map[string]*hearing{}
	for name, t := range x.outbounds {
		if name == talkPlain && t.err == nil {
			all[name] = &t.hearing
		}
	}
	for name, t := range x.inbounds {
		if name == readFirst && t.err == nil {
			all[name] = &t.hearing
		}
	}
	return all
}

func inWords(x *exam) error {
	all := x.hearings()
	if len(all) == 0 {
		return skip("no run was held that ended well")
	}
	for name, h := range all {
		if h.progress == 0 {
			return breach("%s reported no progress", name)
		}
		if h.wordless > 0 {
			return breach("%s reported progress without words", name)
		}
	}
	return nil
}

func goodUsage(x *exam) error {
	limits, err := x.allowed()
	if err != nil {
		return err
	}
	categories, pools := map[string]bool{}, map[string]bool{"": true}
	for _, l := range limits.Limits {
		categories[l.Category] = true
	}
	for _, p := range limits.Pools {
		pools[p.Name] = true
	}
	for name, h := range x.hearings() {
		for _, u := range h.usage {
			if !categories[u.Category] || !pools[u.Pool] || u.Requests < 1 {
				return breach("%s reported %d requests of the category %q and the pool %q", name, u.Requests, u.Category, u.Pool)
			}
		}
	}
	return nil
}
