package wire

import (
	"maps"
	"slices"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Answers makes a list of answers in the order of the fields' names.
func Answers(field string, answers connector.Answers) ([]*connectorv1.Answer, error) {
	return list(field, slices.Sorted(maps.Keys(answers)), func(name string) (*connectorv1.Answer, error) {
		return &connectorv1.Answer{Field: name, Values: answers[name]}, required("field", name)
	})
}

// AnswersFrom reads a list of answers; none is nil.
func AnswersFrom(field string, list []*connectorv1.Answer) (connector.Answers, error) {
	if len(list) == 0 {
		return nil, nil
	}
	byName := func(a *connectorv1.Answer) string { return a.GetField() }
	if err := unique(field, "field", list, byName); err != nil {
		return nil, err
	}
	answers := make(connector.Answers, len(list))
	for _, a := range list {
		if a.GetField() == "" {
			return nil, broken(field, "holds an answer without the name of its field")
		}
		answers[a.GetField()] = a.GetValues()
	}
	return answers, nil
}

// named makes a list of answers with one value each.
func named(field string, values map[string]string) ([]*connectorv1.Answer, error) {
	answers := make(connector.Answers, len(values))
	for name, value := range values {
		answers[name] = []string{value}
	}
	return Answers(field, answers)
}

func namedFrom(field string, list []*connectorv1.Answer) (map[string]string, error) {
	answers, err := AnswersFrom(field, list)
	if err != nil || answers == nil {
		return nil, err
	}
	values := make(map[string]string, len(answers))
	for name, v := range answers {
		if len(v) > 1 {
			return nil, broken(field, "holds a name with several values")
		}
		values[name] = answers.Get(name)
	}
	return values, nil
}
