package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Area is the part of the contract that a law is about.
type Area string

// The areas, in the order in which a host meets them.
const (
	AreaManifest   Area = "manifest"
	AreaForms      Area = "forms"
	AreaConnection Area = "connection"
	AreaOptions    Area = "options"
	AreaLimits     Area = "limits"
	AreaOutbound   Area = "outbound"
	AreaTickets    Area = "tickets"
	AreaInbound    Area = "inbound"
	AreaAlways     Area = "always"
)

// Law is one rule of the contract.
type Law struct {
	// ID is "L-" and three digits. It never changes meaning.
	ID string
	// Area is the part of the contract the law is about.
	Area Area
	// Sentence says what a connector must do.
	Sentence string

	check func(*exam) error
}

// Laws returns all laws, by id.
func Laws() []Law {
	return slices.Concat(manifestLaws, formLaws, connectionLaws, optionLaws, limitLaws, outboundLaws, ticketLaws, inboundLaws, alwaysLaws)
}

// Verdict says how a law fared.
type Verdict string

// The verdicts.
const (
	Held    Verdict = "held"
	Broken  Verdict = "broken"
	Skipped Verdict = "skipped"
)

// Finding is the verdict on one law.
type Finding struct {
	Law     Law
	Verdict Verdict
	// Reason is the evidence of a breach, or why the law was skipped; empty
	// when it is held.
	Reason string
	// Took is the time of the check, including the conversations it was the
	// first to need.
	Took time.Duration
}

// breachError is the evidence that a law is broken.
type breachError struct{ text string }

func (e *breachError) Error() string { return e.text }

// breach says how a law is broken.
func breach(format string, args ...any) error { return &breachError{fmt.Sprintf(format, args...)} }

// skipError says why a law cannot be judged.
type skipError struct{ reason string }

func (e *skipError) Error() string { return e.reason }

// skip says why a law cannot be judged.
func skip(format string, args ...any) error { return &skipError{fmt.Sprintf(format, args...)} }

// Check judges a connector by all laws. It returns when every conversation is
// over, or was given up after the patience of the options. When ctx ends the
// remaining laws are skipped.
func Check(ctx context.Context, subject Subject, options Options) Report {
	x := newExam(ctx, subject, options.withDefaults())
	defer x.close()
	report := Report{Started: time.Now()}
	for _, law := range Laws() {
		if len(options.Only) > 0 && !slices.Contains(options.Only, law.ID) {
			continue
		}
		report.Findings = append(report.Findings, x.judge(law))
	}
	report.Connector = x.name()
	report.Took = time.Since(report.Started)
	return report
}

// judge asks one law.
func (x *exam) judge(law Law) Finding {
	f := Finding{Law: law, Verdict: Held}
	if x.ctx.Err() != nil {
		f.Verdict, f.Reason = Skipped, "the examination was cancelled"
		return f
	}
	started := time.Now()
	err := law.check(x)
	f.Took = time.Since(started)
	if err == nil {
		return f
	}
	f.Reason = x.masked(err.Error())
	f.Verdict = Broken
	if _, skipped := errors.AsType[*skipError](err); skipped {
		f.Verdict = Skipped
	}
	return f
}
