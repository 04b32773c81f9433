package connectortest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// The size of chunks, and how many are under way at once.
const (
	chunkRecords = 5
	chunksAtOnce = 2
)

// SyncOutbound writes guests by jobs.
func (s *session) SyncOutbound(ctx context.Context, about connector.OutboundSync, stream connector.OutboundStream) error {
	first := s.app.count(&s.app.outbound) == 1
	if first && s.broken("L-901") {
		panic("the reference was told to panic")
	}
	if first && s.broken("L-906") {
		if err := sleep(ctx, 15*time.Second); err != nil {
			return err
		}
	}
	if !about.KeepsTickets && s.broken("L-522") {
		return connector.Errorf(connector.ClassConfig, "TICKETS", "the host must keep tickets")
	}
	managed := connector.ManagedOutbound{MaxRecords: chunkRecords, Concurrency: chunksAtOnce, Write: s.write, Resume: s.resume}
	if s.broken("L-512") {
		managed.MaxRecords = 1 << 20
	}
	if s.broken("L-517") {
		about.Deadline = time.Time{}
	}
	sabotage := newOutboundSabotage(stream, s.breaks, about)
	err := managed.Run(ctx, about, sabotage)
	return sabotage.end(ctx, err)
}

// write sends a chunk as one job.
func (s *session) write(ctx context.Context, chunk *connector.Chunk) error {
	names := map[int64]string{}
	for row, name := range chunk.Records.Columns[0].Texts {
		if name == "" {
			chunk.Fail(row, connector.StatusInvalid, nameless(), `{"code":"NAME_MISSING"}`)
			continue
		}
		names[chunk.Records.Seqs[row]] = name
	}
	if len(names) == 0 {
		return nil
	}
	if err := chunk.Prepare(ctx, s.handle(""), false); err != nil {
		return err
	}
	id := s.app.submit(names)
	usage := connector.Usage{Category: "write", Requests: 1, Pool: "ink", Units: 1}
	if s.broken("L-908") {
		usage.Category = "unknown"
	}
	chunk.Host.Report(ctx, connector.Report{Usage: []connector.Usage{usage}})
	if err := chunk.Submitted(ctx, s.handle(id)); err != nil {
		return err
	}
	return s.finish(ctx, chunk, id)
}

func (s *session) handle(job string) string {
	if s.broken("L-606") {
		return "job " + job
	}
	return fmt.Sprintf("{\"job\":%q}", job)
}

// resume goes on with a job.
func (s *session) resume(ctx context.Context, chunk *connector.Chunk, ticket connector.Ticket) error {
	job := strings.TrimPrefix(ticket.Handle, "job ")
	if !s.broken("L-606") {
		job = strings.TrimSuffix(strings.TrimPrefix(job, `{"job":"`), `"}`)
	}
	if s.broken("L-609") {
		job = "lost"
	}
	return s.finish(ctx, chunk, job)
}

// finish waits for a job and settles its records.
func (s *session) finish(ctx context.Context, chunk *connector.Chunk, job string) error {
	chunk.Progress("waiting for "+job, connector.WaitingApp, time.Time{})
	answers, err := s.app.wait(ctx, job)
	if err != nil {
		return err
	}
	refused := false
	for row, seq := range chunk.Records.Seqs {
		refused = refused || answers[seq].refused != ""
		if chunk.Settled(row) {
			refused = true
		}
	}
	for row, seq := range chunk.Records.Seqs {
		if chunk.Settled(row) {
			continue
		}
		a := answers[seq]
		if a.refused == "" && !(refused && s.broken("L-509")) {
			chunk.SucceedWith(row, a.id, s.detail())
			continue
		}
		chunk.Fail(row, connector.StatusRejected, s.refusal(chunk.Records.Columns[0].Texts[row]), "")
	}
	return nil
}

func (s *session) detail() string {
	if s.broken("L-506") {
		return "{"
	}
	return `{"ok":true}`
}

func (s *session) refusal(name string) *connector.Error {
	e := connector.Errorf(connector.ClassRejected, "UNWANTED", "the guest is not wanted")
	switch s.breaks {
	case "L-903":
		e.Message += " by " + s.connection.Secrets.Get("token")
	case "L-904":
		e.Message += ": " + name
	case "L-905":
		e.Class = "WHIM"
	}
	return e
}
