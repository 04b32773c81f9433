package wire

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// moment makes a timestamp; the zero time becomes none.
func moment(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// momentFrom reads an optional timestamp, in UTC; none is the zero time.
func momentFrom(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, broken(field, "is no valid timestamp")
	}
	return t.AsTime(), nil
}

// span makes a duration; 0 becomes none.
func span(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

func spanFrom(field string, d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if err := d.CheckValid(); err != nil {
		return 0, broken(field, "is no valid duration")
	}
	return d.AsDuration(), nil
}

func requiredMoment(field string, t time.Time) error {
	if t.IsZero() {
		return broken(field, "is required")
	}
	return nil
}
