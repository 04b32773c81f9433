package crm

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// The flex types decode what Zoho writes in more than one way, and take the zero value for what they do not understand:
// one odd attribute must not make a whole module unreadable.

// flexString accepts a string, a number or a boolean.
type flexString string

func (s *flexString) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) == 0:
	case b[0] == '"':
		var v string
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		*s = flexString(v)
	case b[0] == '{' || b[0] == '[' || string(b) == "null":
	default:
		*s = flexString(b)
	}
	return nil
}

// flexInt accepts a number, with or without a fraction, or a string holding one.
type flexInt int64

func (n *flexInt) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `" `)
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		*n = flexInt(v)
	} else if f, err := strconv.ParseFloat(text, 64); err == nil && f > -1e15 && f < 1e15 {
		*n = flexInt(f)
	}
	return nil
}

// flexBool accepts a boolean, "true", or 1.
type flexBool bool

func (v *flexBool) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `" `)) {
	case "true", "1":
		*v = true
	}
	return nil
}

// flexList accepts an array, a single object, or anything else as empty.
type flexList[T any] []T

func (l *flexList[T]) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) == 0:
	case b[0] == '[':
		var raw []json.RawMessage
		if err := json.Unmarshal(b, &raw); err != nil {
			return err
		}
		for _, r := range raw {
			var v T
			if json.Unmarshal(r, &v) == nil {
				*l = append(*l, v)
			}
		}
	case b[0] == '{' && len(bytes.TrimSpace(b[1:len(b)-1])) > 0:
		var v T
		if json.Unmarshal(b, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// flexObject accepts an object and takes null, arrays, scalars and {} for absent. Set tells which.
type flexObject[T any] struct {
	Set   bool
	Value T
}

func (o *flexObject[T]) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '{' || len(bytes.TrimSpace(b[1:len(b)-1])) == 0 {
		return nil
	}
	var v T
	if json.Unmarshal(b, &v) != nil {
		return nil
	}
	o.Set, o.Value = true, v
	return nil
}
