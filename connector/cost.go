package connector

// ActionCount is a number of records with one action.
type ActionCount struct {
	Action  Action
	Records int64
}

// OutboundPath is one way to send the records of a run, such as bulk jobs, and
// what it costs.
type OutboundPath struct {
	// Name identifies the path, for instance "bulk". Required, unique.
	Name string
	// Label is shown to people; it defaults to Name.
	Label string
	// Chosen is true for the path the connector would take.
	Chosen bool
	// Reason says why it is chosen or not, or what the costs leave out.
	Reason string
	// Costs are what the path takes at least: what depends on how the app
	// behaves, such as the number of polls, is left out. Categories are unique.
	Costs []PathCost
}

// Units returns what the path takes from a pool.
func (p OutboundPath) Units(pool string) int64 {
	var units int64
	for _, c := range p.Costs {
		if c.Pool == pool {
			units += c.Units
		}
	}
	return units
}

// PathCost is what a path takes through one category of requests.
type PathCost struct {
	// Category is the limit the requests belong to; Requests their number, at
	// least 1.
	Category string
	Requests int64
	// Pool and Units are what they take from a pool; Pool is empty for nothing.
	Pool  string
	Units int64
}
