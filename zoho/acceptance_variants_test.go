package zoho

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// trial is how the connector is tried under one variant. Its zero value is the
// journey as it is by default.
type trial struct {
	config func(*zohosim.Config)      // what else the simulator is told
	world  func(*testing.T) *world    // another world than the usual one; it sets the variant itself
	expect func([]*tale)              // what becomes of records otherwise
	before func(*journey)             // before the journey
	run    func(*testing.T, *journey) // instead of the journey
	after  func(*testing.T, *journey) // after it
}

// vary sets one variant by its key.
func vary(t *testing.T, c *zohosim.Config, key, value string) {
	t.Helper()
	if err := json.Unmarshal([]byte(`{"`+key+`":`+value+`}`), &c.Variants); err != nil {
		t.Fatal(err)
	}
}

// TestEveryVariant carries the connector through every reading of Zoho's pages
// that the simulator can play. The list is the simulator's own: a variant nobody
// thought of here fails the test.
func TestEveryVariant(t *testing.T) {
	t.Parallel()
	all := trials()
	for _, c := range zohosim.VariantList() {
		for _, value := range c.Others {
			name := c.Key + "=" + value
			tr, ok := all[name]
			if !ok {
				t.Errorf("no trial for %s", name)
				continue
			}
			delete(all, name)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tr.carry(t, c.Key, value)
			})
		}
	}
	for name := range all {
		t.Errorf("the trial %s is of no variant", name)
	}
}

func (tr trial) carry(t *testing.T, key, value string) {
	t.Helper()
	set := func(c *zohosim.Config) {
		c.JobPolls = 2
		c.DisableDownloadLimit = true // the journey reads four times
		vary(t, c, key, value)
		if tr.config != nil {
			tr.config(c)
		}
	}
	make := func(t *testing.T) *world { return newWorld(t, set) }
	if tr.world != nil {
		make = func(t *testing.T) *world {
			w := tr.world(t)
			if err := w.sim.Configure(set); err != nil {
				t.Fatal(err)
			}
			return w
		}
	}
	j := newJourney(make(t), pathBulk)
	if tr.before != nil {
		tr.before(j)
	}
	if tr.run != nil {
		tr.run(t, j)
	} else {
		j.whole(tr.expect)
	}
	if tr.after != nil {
		tr.after(t, j)
	}
}

// whole is the journey by default: a bulk job, record calls, and reading.
func (j *journey) whole(expect func([]*tale)) {
	j.t.Helper()
	j.seedOld("b")
	byBulk := tales("b", 8)
	if expect != nil {
		expect(byBulk)
	}
	j.write(connector.ActionCreate, byBulk)
	j.check(byBulk)
	j.seedOld("r")
	byRecords := tales("r", 8)
	j.byRecordCalls(byRecords)
	j.readBack()
}

// byRecordCalls writes records by record calls, which never add choices, and
// which go on to other unique fields when the key finds nothing: that is why
// they must be asked for where another unique field is mapped.
func (j *journey) byRecordCalls(all []*tale) {
	j.t.Helper()
	for _, t := range all {
		switch t.label {
		case newPick:
			t.want = "REJECTED INVALID_DATA"
		case twin:
			t.want, t.again = wrote, 1 // onto the record that has the e-mail
		}
	}
	j.answers[fieldPath] = []string{pathRecords}
	j.write(connector.ActionCreate, all)
	j.check(all)
}

// trials are all trials, by variant and value.
func trials() map[string]trial {
	out := map[string]trial{}
	for name, tr := range reportTrials() {
		out[name] = tr
	}
	for name, tr := range limitTrials() {
		out[name] = tr
	}
	for name, tr := range readTrials() {
		out[name] = tr
	}
	return out
}

// reportTrials are about reports, files and jobs of bulk write.
func reportTrials() map[string]trial {
	plain := trial{}
	hosts := trial{world: func(t *testing.T) *world { return atZoho(t, nil) }}
	hostOf := func(upload string) trial {
		return trial{world: func(t *testing.T) *world {
			w := atZoho(t, nil)
			w.connection.Answers[fieldUploadURL] = []string{upload}
			return w
		}}
	}
	return map[string]trial{
		`status_case="lower"`:                            plain,
		`status_case="title"`:                            plain,
		`skipped_status="UNPROCESSED"`:                   plain,
		`skipped_status="IGNORED"`:                       plain,
		`omit_skipped=true`:                              {expect: unmentioned},
		`shuffle_result=true`:                            plain,
		`echo_column_order=true`:                         plain,
		`skipped_record_id=true`:                         plain,
		`relative_download_url=true`:                     plain,
		`download_base="https://download-accl.zoho.com"`: hosts,
		`download_base="https://download.zoho.com"`:      hosts,
		`download_needs_org=true`:                        plain,
		`upload_host="content.zohoapis.com"`:             hosts,
		`upload_host="upload.zoho.com"`:                  hostOf("https://upload.zoho.com"),
		`upload_host="upload-accl.zoho.com"`:             hostOf("https://upload-accl.zoho.com"),
		`default_dates="us"`:                             plain,
		`default_dates="iso"`:                            plain,
		`refuse_offset_formats=true`:                     plain,
		`user_time_zone="Asia/Kolkata"`:                  plain,
		`user_time_zone="America/St_Johns"`:              plain,
		`bulk_workflows=true`:                            {after: firedInBulk},
		`repeated_key="skip"`:                            plain,
		`non_unique_find_by="insert"`:                    {run: notUnique},
		`find_by_id_only=true`:                           {run: findByID},
		`file_used_once=true`:                            plain,
		`mandatory_as_failed_job=true`:                   {run: unmappedMandatory},
		`mandatory_on_update=true`:                       {run: unmappedOnUpdate},
		`failed_job="bare"`:                              {run: failedJob},
		`failed_job="result"`:                            {run: failedJob},
		`unknown_job_status=400`:                         {run: unknownJob},
		`expired_status=400`:                             {run: expiredResult},
		`expired_status=410`:                             {run: expiredResult},
		`result_days=1`:                                  {run: expiredResult},
		`spaced_in_progress=true`:                        plain,
		`reject_unknown_picklist=true`:                   {expect: func(all []*tale) { refuse(all, newPick, "REJECTED INVALID_DATA") }},
		`omit_id_field=true`:                             plain,
	}
}

// unmentioned is what a report without skipped rows leaves: records nobody
// knows about. They are said to be open, never to be written.
func unmentioned(all []*tale) {
	for _, label := range []string{noName, badNum, twin} {
		refuse(all, label, "RETRY REPORT_MISMATCH")
	}
}

func firedInBulk(t *testing.T, j *journey) {
	if j.sim.Counters().Workflows < 10 {
		t.Errorf("%d workflows", j.sim.Counters().Workflows)
	}
}

// notUnique: a key that is not unique is refused before anything is sent.
func notUnique(t *testing.T, j *journey) {
	j.answers[fieldUnique] = []string{"Company"}
	j.ends = map[int]string{1: "NOT_UNIQUE"}
	j.rounds = 1
	sync := syncFor(connector.StrategyUpsert, j.answers, taleHeader)
	err := j.world.run(sync, newOut(t, batchOf(connector.ActionCreate, taleHeader, 1, tales("b", 3)[0].cells)))
	if e := connector.AsError(err); e == nil || e.Code != "NOT_UNIQUE" || j.sim.Count("Leads") != 0 || j.sim.Counters().Uploads != 0 {
		t.Errorf("%v, %d leads, %d uploads", err, j.sim.Count("Leads"), j.sim.Counters().Uploads)
	}
}

// unmappedMandatory: the connector finds out before Zoho does, whenever Zoho
// would.
func unmappedMandatory(t *testing.T, j *journey) {
	header := []string{"External_Key", "Last_Name"}
	sync := syncFor(connector.StrategyUpsert, j.answers, header)
	err := j.world.run(sync, newOut(t, batchOf(connector.ActionCreate, header, 1, []string{"a", "Ray"})))
	if e := connector.AsError(err); e == nil || e.Code != "MANDATORY_FIELDS_NOT_MAPPED" || !strings.Contains(e.Error(), "Company") || j.sim.Counters().BulkWriteJobs != 0 {
		t.Errorf("%v, %d jobs", err, j.sim.Counters().BulkWriteJobs)
	}
	j.whole(nil)
}

// unmappedOnUpdate: only the job itself tells, and then the run ends and says
// what to map.
func unmappedOnUpdate(t *testing.T, j *journey) {
	j.seedOld("b")
	header := []string{"External_Key", "City"}
	out := newOut(t, batchOf(connector.ActionUpdate, header, 1, []string{"bold", "Bonn"}))
	err := j.world.run(syncFor(connector.StrategyUpdate, j.answers, header), out)
	if e := connector.AsError(err); e == nil || e.Code != "MANDATORY_FIELDS_NOT_MAPPED" {
		t.Errorf("the run ended with %v", err)
	}
	if got := fate(out.outcomes[1]); !strings.HasSuffix(got, "MANDATORY_FIELDS_NOT_MAPPED") {
		t.Errorf("the record: %s", got)
	}
	whole := []string{"External_Key", "City", "Last_Name", "Company"}
	out = newOut(t, batchOf(connector.ActionUpdate, whole, 1, []string{"bold", "Bonn", "Ray", "Acme"}))
	j.must(syncFor(connector.StrategyUpdate, j.answers, whole), out)
	out.want(connector.StatusSucceeded, 1)
}

// failedJob: a job that fails is sent again, and nothing is there twice.
func failedJob(t *testing.T, j *journey) {
	err := j.sim.Fault(zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/bulk/v8/write$`, Count: 2}, Action: zohosim.Action{Kind: zohosim.ActionFailJob}})
	if err != nil {
		t.Fatal(err)
	}
	j.whole(nil)
	if j.sim.Counters().Faults[string(zohosim.ActionFailJob)] != 2 || len(j.seen[connector.StatusRetry]) == 0 {
		t.Error("no job failed")
	}
}

// unknownJob: a ticket whose job Zoho does not know, with that status. Upserts
// are sent again, plain inserts are in doubt.
func unknownJob(t *testing.T, j *journey) {
	for _, c := range []struct {
		answers connector.Answers
		want    connector.Status
	}{{connector.Answers{fieldModule: {"Leads"}}, connector.StatusInDoubt}, {upsertAnswers(pathBulk), connector.StatusRetry}} {
		b := batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 3)...)
		b.Ticket = "t1"
		sync := syncFor(connector.StrategyCreate, c.answers, leadHeader)
		sync.Tickets = []connector.Ticket{{
			ID: "t1", State: connector.TicketSubmitted, Seqs: connector.SeqRanges(b.Seqs), Handle: jobHandle{Module: "Leads", JobID: "5700000000000999999", Rows: 3}.text(),
		}}
		out := newOut(t, b)
		j.must(sync, out)
		out.want(c.want, 3)
	}
	j.whole(nil)
}

// expiredResult: results that are gone when they are asked for, of a bulk write
// and of a bulk read. The write's records are sent again and converge, the read
// is made again.
func expiredResult(t *testing.T, j *journey) {
	late := func(path string) {
		err := j.sim.Fault(zohosim.Fault{Match: zohosim.Match{PathPattern: path, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionClockSkew, Delay: zohosim.Duration(8 * 24 * time.Hour)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	late(`/bulk-write/`)
	late(`/read/.*/result$`)
	j.seedOld("b")
	all := tales("b", 8)
	for _, tale := range all {
		tale.again = 1 // the job had written them; the report was lost
	}
	j.write(connector.ActionCreate, all)
	j.check(all)
	if len(j.seen[connector.StatusRetry]) == 0 {
		t.Error("no report was missed")
	}
	j.readBack()
	if c := j.sim.Counters(); c.BulkReadJobs < 2 || c.Faults[string(zohosim.ActionClockSkew)] != 2 {
		t.Errorf("%d bulk reads, faults %v", c.BulkReadJobs, c.Faults)
	}
}

// findByID: where Zoho takes no other field than the id, bulk jobs are refused
// and record calls find records by the key.
func findByID(t *testing.T, j *journey) {
	j.seedOld("b")
	all := tales("b", 8)
	for _, tale := range all {
		if !strings.HasPrefix(tale.want, "INVALID") {
			tale.want = "REJECTED INVALID_DATA"
		}
	}
	j.rounds = 1
	j.write(connector.ActionCreate, all)
	j.check(all)
	if n := j.sim.Count("Leads"); n != 2 {
		t.Errorf("%d leads after a refused job", n)
	}
	all = tales("r", 8)
	j.seedOld("r")
	j.byRecordCalls(all)
	j.readBack()
	before, s := j.sim.Count("Leads"), j.open() // many more than a job is worth
	for _, want := range []connector.Status{connector.StatusRetry, connector.StatusSucceeded} {
		out := newOut(t, batchOf(connector.ActionCreate, slimHeader, 1, slim(6_000)...))
		if err := s.SyncOutbound(t.Context(), syncFor(connector.StrategyUpsert, upsertAnswers(pathAuto), slimHeader), out); err != nil {
			t.Fatal(err)
		}
		out.want(want, 6_000)
	}
	if n := j.sim.Count("Leads") - before; n != 6_000 {
		t.Errorf("%d leads were added", n)
	}
}

// connected connects once more and checks what is known of the edition.
func connected(want string) func(*testing.T, *journey) {
	return func(t *testing.T, j *journey) {
		t.Helper()
		if got := j.connection.Parameters.Get(keptEdition); got != want {
			t.Errorf("the edition is %q, want %q", got, want)
		}
		limits, err := j.open().Limits(t.Context())
		if err != nil || len(limits.Pools) == 0 || limits.Pools[0].Capacity <= 0 {
			t.Errorf("limits %+v, %v", limits, err)
		}
	}
}

// locations asks which data centers there are.
func locations(t *testing.T, j *journey) {
	got, err := crm.ServerInfo(t.Context(), http.DefaultClient, j.base)
	if err != nil || got["us"] != j.base {
		t.Errorf("%v, %v", got, err)
	}
	j.whole(nil)
}
