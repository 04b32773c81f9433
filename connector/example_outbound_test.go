package connector_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluiceio/sluice/connector"
)

// mailRoom is an app that works asynchronously: what is handed in gets a number,
// and an answer later.
type mailRoom struct{ jobs map[string][]string }

func (m *mailRoom) submit(letters []string) string {
	job := fmt.Sprint("job-", len(m.jobs)+1)
	m.jobs[job] = letters
	return job
}

func (m *mailRoom) results(job string) []string { return m.jobs[job] }

// Work that the app does asynchronously is journaled before and after it is
// submitted. After a crash the host hands the ticket back, and Resume goes on
// where the work was, without submitting anything again.
func ExampleManagedOutbound_tickets() {
	app := &mailRoom{jobs: map[string][]string{}}
	collect := func(chunk *connector.Chunk, job string) error {
		for row := range app.results(job) {
			chunk.Succeed(row, "")
		}
		return nil
	}
	managed := connector.ManagedOutbound{
		MaxRecords: 100, Concurrency: 1,
		Write: func(ctx context.Context, chunk *connector.Chunk) error {
			if err := chunk.Prepare(ctx, "{}", false); err != nil {
				return err // nothing may be submitted
			}
			job := app.submit(chunk.Records.Columns[0].Texts)
			handle, _ := json.Marshal(map[string]string{"job": job})
			if err := chunk.Submitted(ctx, string(handle)); err != nil {
				return err
			}
			return collect(chunk, job)
		},
		Resume: func(_ context.Context, chunk *connector.Chunk, ticket connector.Ticket) error {
			var handle struct{ Job string }
			if err := json.Unmarshal([]byte(ticket.Handle), &handle); err != nil {
				return connector.Errorf(connector.ClassInternal, "HANDLE", "the handle of ticket %s is not one of ours", ticket.ID)
			}
			return collect(chunk, handle.Job)
		},
	}
	host := newOutboundHost(batchOf(1, 3, connector.ActionCreate))
	err := managed.Run(context.Background(), connector.OutboundSync{KeepsTickets: true}, host)
	fmt.Println(host.journal, host.statuses(), len(app.jobs), "job", err)

	// The host crashed in the middle of the next run, and hands back what it knows.
	job := app.submit([]string{"name4", "name5"})
	handed := batchOf(4, 2, connector.ActionCreate)
	handed.Ticket = "t"
	host = newOutboundHost(handed)
	ticket := host.handBack(connector.Ticket{
		ID: "t", State: connector.TicketSubmitted, Handle: `{"job": "` + job + `"}`, Seqs: []connector.SeqRange{{First: 4, Last: 5}},
	})
	err = managed.Run(context.Background(), connector.OutboundSync{KeepsTickets: true, Tickets: []connector.Ticket{ticket}}, host)
	fmt.Println(host.journal, host.statuses(), len(app.jobs), "jobs", err)
	// Output:
	// [PREPARED SUBMITTED DONE] map[SUCCEEDED:3] 1 job <nil>
	// [DONE] map[SUCCEEDED:2] 2 jobs <nil>
}

// What is left without an outcome gets the one that the error means. After
// PREPARED, an answer that got lost leaves the record in doubt.
func ExampleChunk_Prepare() {
	managed := connector.ManagedOutbound{
		MaxRecords: 1, Concurrency: 1, // one record, one ticket
		Write: func(ctx context.Context, chunk *connector.Chunk) error {
			if err := chunk.Prepare(ctx, "{}", false); err != nil {
				return err
			}
			if chunk.Records.Identifiers[0] == "id2" {
				return connector.Errorf(connector.ClassTransient, "NETWORK", "the answer got lost")
			}
			chunk.Succeed(0, "")
			return nil
		},
	}
	host := newOutboundHost(batchOf(1, 3, connector.ActionSend))
	err := managed.Run(context.Background(), connector.OutboundSync{KeepsTickets: true}, host)
	for seq := int64(1); seq <= 3; seq++ {
		fmt.Println(seq, host.outcomes[seq].Status)
	}
	fmt.Println(err)
	// Output:
	// 1 SUCCEEDED
	// 2 IN_DOUBT
	// 3 SUCCEEDED
	// <nil>
}

// A batch that the app refuses as a whole is split until the one that it was
// refused for is alone.
func ExampleChunk_Halves() {
	apply := func(names []string) error {
		for _, name := range names {
			if name == "name3" {
				return connector.Errorf(connector.ClassRejected, "BAD_ROW", "the app refuses the batch for one of its rows")
			}
		}
		return nil
	}
	calls := 0
	var write func(ctx context.Context, chunk *connector.Chunk) error
	write = func(ctx context.Context, chunk *connector.Chunk) error {
		calls++
		err := apply(chunk.Records.Columns[0].Texts)
		switch {
		case err == nil:
			for row := range chunk.Len() {
				chunk.Succeed(row, "")
			}
		case chunk.Len() > 1:
			for _, half := range halves(chunk) {
				half.Conclude(write(ctx, half))
			}
		default:
			return err
		}
		return nil
	}
	host := newOutboundHost(batchOf(1, 4, connector.ActionCreate))
	err := connector.ManagedOutbound{Write: write}.Run(context.Background(), connector.OutboundSync{}, host)
	fmt.Println(host.statuses()[connector.StatusSucceeded], "succeeded,", host.outcomes[3].Status, host.outcomes[3].Error.Code, calls, "calls", err)
	// Output:
	// 3 succeeded, REJECTED BAD_ROW 5 calls <nil>
}

func halves(chunk *connector.Chunk) []*connector.Chunk {
	first, second := chunk.Halves()
	return []*connector.Chunk{first, second}
}
