package connector

// Sentence says what the limit allows, for people.
func (l Limit) Sentence(pools []Pool) string { return l.Label }

// Sentences says what the limits allow, one sentence for each.
func Sentences(limits Limits) []string { return nil }
