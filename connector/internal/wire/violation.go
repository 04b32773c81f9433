package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"

	"github.com/sluiceio/sluice/connector"
)

// Violation says which rule of the contract a message breaks. It names the
// field, and never repeats its value, which may be a secret or part of a record.
type Violation struct {
	// Field is the path to the field, for instance "form.fields[2].name".
	Field string
	// Problem completes the sentence that begins with the field, for instance
	// "is required".
	Problem string
}

// Error returns the field and the problem.
func (v *Violation) Error() string { return v.Field + " " + v.Problem }

// Refuse turns an error of a converter into an [connector.Error]: of class CONFIG
// when the host broke the contract, of class INTERNAL when the connector did.
// What names the message, for instance "the manifest". Refuse(nil) is nil.
func Refuse(class connector.Class, what string, err error) error {
	if err == nil {
		return nil
	}
	e := connector.Errorf(class, "CONTRACT", "%s breaks the contract: %w", what, err)
	var v *Violation
	if errors.As(err, &v) {
		e.Fields = []connector.FieldViolation{{Field: v.Field, Description: v.Problem}}
		e.Message = what + " breaks the contract"
	}
	return e
}

func broken(field, problem string, args ...any) error {
	return &Violation{Field: field, Problem: fmt.Sprintf(problem, args...)}
}

func required(field, value string) error {
	if value == "" {
		return broken(field, "is required")
	}
	return nil
}

func notNegative[N ~int | ~int32 | ~int64](field string, n N) error {
	if n < 0 {
		return broken(field, "must not be negative")
	}
	return nil
}

// small checks a number that has 32 bits on the wire.
func small(field string, n int) error {
	if n < 0 || n > math.MaxInt32 {
		return broken(field, "must be 0 to %d", math.MaxInt32)
	}
	return nil
}

func positive[N ~int | ~int32 | ~int64](field string, n N) error {
	if n <= 0 {
		return broken(field, "must be positive")
	}
	return nil
}

// jsonText checks an optional JSON text of bounded size.
func jsonText(field, text string, limit int) error {
	switch {
	case text == "":
		return nil
	case len(text) > limit:
		return broken(field, "has %d bytes, more than the %d allowed", len(text), limit)
	case !json.Valid([]byte(text)):
		return broken(field, "is not JSON")
	}
	return nil
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// within puts a field in front of the path of a violation.
func within(field string, err error) error {
	var v *Violation
	if err == nil || !errors.As(err, &v) {
		return err
	}
	return &Violation{Field: field + "." + v.Field, Problem: v.Problem}
}

// list converts a list element by element; an empty one becomes nil.
func list[A, B any](field string, all []A, convert func(A) (B, error)) ([]B, error) {
	if len(all) == 0 {
		return nil, nil
	}
	out := make([]B, len(all))
	for i, a := range all {
		b, err := convert(a)
		if err != nil {
			return nil, within(fmt.Sprintf("%s[%d]", field, i), err)
		}
		out[i] = b
	}
	return out, nil
}

// unique checks that no two elements share a key.
func unique[T any](field, key string, all []T, of func(T) string) error {
	seen := make(map[string]bool, len(all))
	for i, t := range all {
		if seen[of(t)] {
			return broken(fmt.Sprintf("%s[%d].%s", field, i, key), "repeats that of an earlier one")
		}
		seen[of(t)] = true
	}
	return nil
}

// pattern checks an optional RE2 expression.
func pattern(field, expression string) error {
	if _, err := regexp.Compile(expression); err != nil {
		return broken(field, "is not an RE2 expression")
	}
	return nil
}
