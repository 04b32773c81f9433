package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner"
)

func syncsPlan(a *app) *cobra.Command {
	var options runner.PlanOptions
	cmd := &cobra.Command{
		Use: "plan SYNC", Short: "Show what a run would do; nothing is sent", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), nil, func(h *host) error {
				plan, err := h.Plan(cmd.Context(), args[0], options)
				if err != nil {
					return err
				}
				shape := planShape(plan)
				return a.result(shape, func() { a.sayPlan(shape) })
			})
		},
	}
	f := cmd.Flags()
	f.Int64Var(&options.Limit, "limit", 0, "plan at most this many records (default all)")
	f.Int64Var(&options.Check, "check", 0, "records of each action to look at for being invalid (default 1000, -1 for the samples alone)")
	f.IntVar(&options.Samples, "samples", 0, "samples for each action (default 3, -1 for none)")
	f.BoolVar(&options.Resync, "resync", false, "plan every record again")
	return cmd
}

func (a *app) sayPlan(p PlanShape) {
	a.say("%d rows in the source, %d records to send", p.SourceRows, p.Records)
	for _, action := range p.Actions {
		a.say("  %s %d (%s)", action.Action, action.Count, action.Reason)
	}
	a.say("  not sent: %d unchanged, %d skipped, %d held back", p.Unchanged, p.Skipped, p.HeldBack)
	for _, s := range p.Samples {
		a.say("sample %s %s:", s.Action, s.Identifier)
		for _, field := range sortedNames(s.Values) {
			a.say("    %s = %s", field, oneLine(s.Values[field]))
		}
	}
	a.sayFindings(p)
	for _, path := range p.Paths {
		a.sayPath(path)
	}
	for _, c := range p.Costs {
		name := c.Category
		if name != "" {
			name = " by " + name
		}
		a.say("cost%s: %d of %s (%s)", name, c.Units, c.Pool, c.Basis)
	}
	for _, l := range p.Left {
		a.say("%s", leftText(l))
	}
	if p.Records > 0 {
		a.say("nothing was sent")
	}
}

// shownFindings is how many invalid records are listed; --json lists all.
const shownFindings = 20

// sayFindings lists the records that would not be sent, and why.
func (a *app) sayFindings(p PlanShape) {
	for i, f := range p.Findings {
		if i == shownFindings {
			a.say("and %d more", len(p.Findings)-i)
			break
		}
		a.say("would not be sent: %s %s: %s", f.Action, f.Identifier, f.Error.Message)
	}
	switch {
	case p.Checked == 0:
	case p.Validated:
		a.say("%d of %d records looked at are invalid", len(p.Findings), p.Checked)
	default:
		a.say("the connector does not say beforehand which records are invalid")
	}
}

// sayPath says what a path takes from each pool, and through which requests.
func (a *app) sayPath(p PathShape) {
	var pools []string
	units := map[string]int64{}
	var requests []string
	for _, c := range p.Costs {
		if c.Pool != "" && units[c.Pool] == 0 {
			pools = append(pools, c.Pool)
		}
		units[c.Pool] += c.Units
		requests = append(requests, fmt.Sprintf("%d %s", c.Requests, c.Category))
	}
	taken := make([]string, len(pools))
	for i, pool := range pools {
		taken[i] = fmt.Sprintf("%d %s", units[pool], pool)
	}
	text := fmt.Sprintf("cost by %s: %s (requests: %s)", cmp.Or(p.Label, p.Name), cmp.Or(strings.Join(taken, ", "), "nothing"), strings.Join(requests, ", "))
	if p.Chosen {
		text += ", chosen"
	}
	if p.Reason != "" {
		text += ". " + p.Reason
	}
	a.say("%s", text)
}
