package zohosim

import "strings"

// need is one permission a call demands: an area such as "settings.fields" or "modules", for the latter a module
// group, and the operations of which one suffices.
type need struct {
	service string // ZohoCRM, ZohoFiles
	area    string
	group   string
	ops     []string
}

func scope(area string, ops ...string) func(*call) []need {
	n := []need{{service: "ZohoCRM", area: area, ops: ops}}
	return func(*call) []need { return n }
}

func uploadNeeds(*call) []need {
	return []need{{service: "ZohoFiles", area: "files", ops: []string{"ALL"}}}
}

// moduleScope demands an operation on the module in the path. Custom modules go by the group name "custom".
func moduleScope(ops ...string) func(*call) []need {
	return func(c *call) []need { return []need{c.moduleNeed(c.params["module"], ops...)} }
}

func (c *call) moduleNeed(module string, ops ...string) need {
	group := module
	c.sim.store.mu.RLock()
	if t := c.sim.store.tables[module]; t != nil && t.Generated != "default" {
		group = "custom"
	}
	c.sim.store.mu.RUnlock()
	return need{service: "ZohoCRM", area: "modules", group: group, ops: ops}
}

func massDeleteNeeds(c *call) []need {
	n := c.moduleNeed(c.params["module"], "DELETE")
	n.area = "mass_delete"
	return []need{n}
}

func coqlNeeds(*call) []need {
	return []need{{service: "ZohoCRM", area: "coql", ops: []string{"READ"}}}
}

// covers tells whether one granted scope satisfies the need. Scope names are compared without case: the pages spell
// them both ways. ALL on any level covers what is below it.
func (n need) covers(granted string) bool {
	g := strings.Split(strings.ToLower(granted), ".")
	path := append([]string{n.service}, strings.Split(n.area, ".")...)
	if n.group != "" && len(g) == len(path)+2 {
		path = append(path, n.group)
	}
	for i, p := range path {
		if i >= len(g) {
			return false
		}
		if g[i] == "all" && i == len(g)-1 && i > 0 {
			return true
		}
		if g[i] != strings.ToLower(p) {
			return false
		}
	}
	return len(g) == len(path)+1 && n.allowsOp(g[len(path)])
}

func (n need) allowsOp(op string) bool {
	if op == "all" {
		return true
	}
	for _, want := range n.ops {
		want = strings.ToLower(want)
		if op == want || op == "write" && (want == "create" || want == "update") {
			return true
		}
	}
	return false
}

// splitScopes accepts commas (documented) and spaces.
func splitScopes(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// DefaultScopes is what the built-in refresh token carries: everything simulated.
const DefaultScopes = "ZohoCRM.modules.ALL,ZohoCRM.bulk.ALL,ZohoCRM.settings.ALL,ZohoCRM.org.ALL,ZohoCRM.users.ALL," +
	"ZohoCRM.coql.READ,ZohoCRM.mass_delete.DELETE,ZohoFiles.files.ALL"
