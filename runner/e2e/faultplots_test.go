package e2e

import (
	"fmt"
	"strings"
)

// disagree: what succeeded is there once, what is in doubt once or not, and
// nothing else is there.
func (c *creation) disagree(s *siege, outcomes []outcome) []string {
	names := map[string]string{}
	for _, row := range c.rows {
		id, name, _ := strings.Cut(row, ",")
		names[id] = name
	}
	held := map[string]int{}
	for r := range s.sim.Records("Accounts") {
		held[r["Account_Name"]]++
	}
	var problems []string
	for _, o := range outcomes {
		n := held[names[o.identifier]]
		if o.status == "SUCCEEDED" && n != 1 || o.status == "IN_DOUBT" && n > 1 || o.status != "SUCCEEDED" && o.status != "IN_DOUBT" && n != 0 {
			problems = append(problems, fmt.Sprintf("record %s is %s, and the app holds %d of it", o.identifier, o.status, n))
		}
	}
	return problems
}

// disagree: what succeeded is there as it was sent, what was refused is not, and
// nothing is there twice. What is to be sent again may be there: no harm is done
// by sending it.
func (k *keyed) disagree(s *siege, outcomes []outcome) []string {
	held := map[string][]string{}
	for r := range s.sim.Records("Accounts") {
		held[r["External_Key"]] = append(held[r["External_Key"]], r["Account_Name"])
	}
	var problems []string
	for _, o := range outcomes {
		values, wanted := held[o.identifier], k.values[o.identifier]
		there := len(values) == 1 && values[0] == wanted
		if o.action == "Delete" {
			there = len(values) == 0
		}
		succeeded, refused := o.status == "SUCCEEDED", o.status == "REJECTED" || o.status == "INVALID"
		if len(values) > 1 || succeeded && !there || refused && there || o.status == "IN_DOUBT" {
			problems = append(problems, fmt.Sprintf("%s of record %s is %s, and the app holds %q where %q was sent", o.action, o.identifier, o.status, values, wanted))
		}
	}
	return problems
}

// disagree has nothing to say: an inbound run has no outcomes for records, and
// its table is judged as a whole.
func (r *reading) disagree(*siege, []outcome) []string { return nil }
