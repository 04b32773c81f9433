package conformance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Subject is what is examined: a connector, and what a user would answer it.
// What is not given is not examined, and reported as skipped.
type Subject struct {
	// Open returns the connector, and a function that takes it apart again. It
	// is called several times; each time stands for a host that starts anew, so
	// nothing but what the app knows may survive. Required.
	Open func(ctx context.Context) (connector.Connector, func(), error)
	// Connection holds the answers to the connection form, with secrets. No
	// method means that there is none.
	Connection connector.Connection
	// Refused is a connection whose login the app refuses. Optional.
	Refused *connector.Connection
	// Outbound is a sync to write with. Optional.
	Outbound *Outbound
	// Inbound is a sync to read with. Optional.
	Inbound *Inbound
}

// Outbound is an outbound sync. Its records are sent many times over, a few
// hundred in all, so the app should be a simulator or a sandbox.
type Outbound struct {
	// Strategy is the name of one of the manifest's strategies. Required.
	Strategy string
	// Action is asked for with every record. Default: the strategy's first slot
	// that is set.
	Action connector.Action
	// Answers are those to the outbound form.
	Answers connector.Answers
	// Mapping lists the app fields of the records' values. Required.
	Mapping []connector.MappedField
	// Records are sent. At least two good ones are needed, more and some that
	// are not accepted are better.
	Records []Record
	// ReadAhead is the number of records the connector may hold without an
	// outcome, over and above what is on the wire: its chunk size times one more
	// than its chunks at once. 0 leaves that unexamined.
	ReadAhead int
}

// Record is a record to send.
type Record struct {
	// Identifier is its key in the warehouse. Required, unique.
	Identifier string
	// AppIdentifier is its key in the app, where known.
	AppIdentifier string
	// Values has one entry for each mapped field; nil is null. [Unique] in a
	// value is replaced by a text that differs each time the record is sent,
	// which a field needs that the app keeps unique.
	Values []*string
	// Bad is true when the app or the connector does not accept the record.
	Bad bool
}

// Unique stands in the values of records for a text that was never sent before.
const Unique = "{unique}"

// made is the record with its unique texts.
func (r Record) made(prefix string, seq int64) Record {
	values := make([]*string, len(r.Values))
	for i, v := range r.Values {
		if values[i] = v; v != nil && strings.Contains(*v, Unique) {
			text := strings.ReplaceAll(*v, Unique, fmt.Sprintf("%s%d", prefix, seq))
			values[i] = &text
		}
	}
	r.Values = values
	return r
}

// Inbound is an inbound sync.
type Inbound struct {
	// Answers are those to the inbound form.
	Answers connector.Answers
	// Streams are read. A mode left out is the stream's first.
	Streams []connector.StreamSelection
}

// Options adjust how long the examination waits. The zero value suits a
// connector in another process that talks to a simulator.
type Options struct {
	// Patience bounds every call and every conversation. Default 2 minutes.
	Patience time.Duration
	// Prompt is the time within which what needs no app is answered, and within
	// which a cancelled call ends. Default 5 s.
	Prompt time.Duration
	// Quiet is the time in which something must be heard during a sync. Default
	// 10 s and a second of grace.
	Quiet time.Duration
	// Stop is the time a stop leaves until its deadline. Default 10 s.
	Stop time.Duration
	// Deadline is the time a run with a deadline has. Default 5 s.
	Deadline time.Duration
	// Pace is the pause between batches of a slow host. Default 100 ms.
	Pace time.Duration
	// BatchRows is the number of rows in a batch. Default 3.
	BatchRows int
	// Only names the laws to judge by; none means all.
	Only []string
}

func (o Options) withDefaults() Options {
	or := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	or(&o.Patience, 2*time.Minute)
	or(&o.Prompt, 5*time.Second)
	or(&o.Quiet, 11*time.Second)
	or(&o.Stop, 10*time.Second)
	or(&o.Deadline, 5*time.Second)
	or(&o.Pace, 100*time.Millisecond)
	if o.BatchRows <= 0 {
		o.BatchRows = 3
	}
	return o
}
