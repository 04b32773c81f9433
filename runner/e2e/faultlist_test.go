package e2e

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sluiceio/sluice/zoho/zohosim"
)

// mishap is one fault of the simulator's panel at one call.
type mishap struct {
	name    string // of what happens
	at      string // the call
	lasting bool   // it happens at every such call, not once
	fault   zohosim.Fault
}

func (m mishap) String() string {
	if m.lasting {
		return "always " + m.name + " at " + m.at
	}
	return m.name + " at " + m.at
}

// undo is what sets the clock right again.
func (m mishap) undo(s *zohosim.Sim, times int) {
	if m.fault.Action.Kind == zohosim.ActionClockSkew {
		s.AdvanceClock(-time.Duration(times) * time.Duration(m.fault.Action.Delay))
	}
}

// kind is what may happen: once, or as long as a run goes on unless it passes.
type kind struct {
	name   string
	action zohosim.Action
	passes bool // it makes no sense that it lasts
}

// anywhere are the kinds that can happen to any call.
var anywhere = []kind{
	{name: "500", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 500}},
	{name: "502", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 502}},
	{name: "503, retry after 1 s", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 503, RetryAfter: "1"}},
	{name: "429, retry after 1 s", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429, RetryAfter: "1"}},
	{name: "429", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429}},
	{name: "400", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 400}},
	{name: "401", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 401}},
	{name: "403", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 403}},
	{name: "done, then 502", action: zohosim.Action{Kind: zohosim.ActionStatusAfter, Status: 502}},
	{name: "done, then 500", action: zohosim.Action{Kind: zohosim.ActionStatusAfter, Status: 500}},
	{name: "dropped before", action: zohosim.Action{Kind: zohosim.ActionDropBefore}},
	{name: "done, then dropped", action: zohosim.Action{Kind: zohosim.ActionDropAfter}},
	{name: "slow", action: zohosim.Action{Kind: zohosim.ActionDelay, Delay: zohosim.Duration(300 * time.Millisecond)}},
	{name: "token revoked", action: zohosim.Action{Kind: zohosim.ActionRevokeToken}},
	{name: "clock 2 h ahead", action: zohosim.Action{Kind: zohosim.ActionClockSkew, Delay: zohosim.Duration(2 * time.Hour)}, passes: true},
	{name: "clock 1 h back", action: zohosim.Action{Kind: zohosim.ActionClockSkew, Delay: -zohosim.Duration(time.Hour)}, passes: true},
}

// ofFiles are the kinds that happen to downloads, ofJobs those that happen to
// jobs as they are created; see meetStuck for jobs that never end.
var (
	ofFiles = []kind{
		{name: "torn file", action: zohosim.Action{Kind: zohosim.ActionTornFile}},
		{name: "damaged file", action: zohosim.Action{Kind: zohosim.ActionCorruptFile}},
	}
	ofJobs = []kind{{name: "failed job", action: zohosim.Action{Kind: zohosim.ActionFailJob}}}
)

// target is a call that mishaps happen to.
type target struct {
	name, method, path string
	file, job          bool
}

// The calls of each road.
var (
	tokenCall   = target{name: "token", method: "POST", path: `^/oauth/v2/token$`}
	fieldsCall  = target{name: "fields", method: "GET", path: `/settings/fields$`}
	writeCalls  = []target{{name: "upload", method: "POST", path: `/upload$`}, {name: "job", method: "POST", path: `/bulk/[^/]+/write$`, job: true}, {name: "poll", method: "GET", path: `/bulk/[^/]+/write/`}, {name: "report", method: "GET", path: `/bulk-write/`, file: true}}
	insertCall  = target{name: "insert", method: "POST", path: `^/crm/[^/]+/Accounts$`}
	upsertCalls = []target{{name: "upsert", method: "POST", path: `^/crm/[^/]+/Accounts(/upsert)?$`}, {name: "update", method: "PUT", path: `^/crm/[^/]+/Accounts$`}}
	deleteCall  = target{name: "delete", method: "DELETE", path: `^/crm/[^/]+/Accounts$`}
	readCalls   = []target{
		{name: "read job", method: "POST", path: `/bulk/[^/]+/read$`, job: true}, {name: "read poll", method: "GET", path: `/bulk/[^/]+/read/[^/]+$`},
		{name: "rows", method: "GET", path: `/bulk/[^/]+/read/.*/result$`, file: true}, deletedCall,
	}
	queryCall   = target{name: "query", method: "POST", path: `/coql$`}
	deletedCall = target{name: "deleted", method: "GET", path: `/deleted$`}
)

// mishaps lists what can happen to some calls.
func mishaps(targets []target) []mishap {
	var list []mishap
	add := func(t target, kinds []kind) {
		for _, k := range kinds {
			match := zohosim.Match{Method: t.method, PathPattern: t.path}
			if !k.passes {
				list = append(list, mishap{k.name, t.name, true, zohosim.Fault{Match: match, Action: k.action}})
			}
			match.Count = 1
			list = append(list, mishap{k.name, t.name, false, zohosim.Fault{Match: match, Action: k.action}})
		}
	}
	for _, t := range targets {
		add(t, anywhere)
		if t.file {
			add(t, ofFiles)
		}
		if t.job {
			add(t, ofJobs)
		}
	}
	return list
}

// trouble is what happens in one run: one mishap, or two.
type trouble []mishap

func (t trouble) String() string { return fmt.Sprint([]mishap(t)) }

// troubles lists every mishap alone, then pairs of them, each a little later or
// earlier than the other.
func troubles(targets []target, pairs int, random *rand.Rand) []trouble {
	all := mishaps(targets)
	var list []trouble
	for _, m := range all {
		list = append(list, trouble{m})
	}
	for range pairs {
		a, b := all[random.IntN(len(all))], all[random.IntN(len(all))]
		a.fault.Match.After, b.fault.Match.After = random.IntN(3), random.IntN(3)
		list = append(list, trouble{a, b})
	}
	return list
}
