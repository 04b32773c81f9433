package zohosim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The admin side, everything under /_sim/: no token, no credits, not in the request log. Meant for tests and demos on
// a loopback port.

func (s *Sim) adminHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /_sim/{$}", s.adminPage)
	m.HandleFunc("GET /_sim/modules/{module}", s.modulePage)
	m.Handle("GET /_sim", http.RedirectHandler("/_sim/", http.StatusFound))
	m.HandleFunc("GET /_sim/state", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, s.state(baseOf(r))) })
	m.HandleFunc("GET /_sim/requests", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.RequestLog()) })
	m.HandleFunc("GET /_sim/counters", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Counters()) })
	m.HandleFunc("GET /_sim/credits", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Credits()) })
	m.HandleFunc("GET /_sim/job-creations", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.JobCreations()) })
	m.HandleFunc("GET /_sim/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Faults()) })
	m.HandleFunc("GET /_sim/faults/kinds", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, ActionKinds()) })
	m.HandleFunc("GET /_sim/variants", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, VariantList()) })
	m.HandleFunc("POST /_sim/faults", adminPost(s.Fault))
	m.HandleFunc("DELETE /_sim/faults", func(w http.ResponseWriter, _ *http.Request) { s.ClearFaults(); adminOK(w) })
	m.HandleFunc("POST /_sim/modules", adminPost(s.AddModule))
	m.HandleFunc("POST /_sim/fields", adminPost(func(f adminField) error { return s.AddCustomField(f.Module, f.Field) }))
	m.HandleFunc("POST /_sim/config", adminPost(s.patch))
	m.HandleFunc("GET /_sim/config", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.patchOf()) })
	m.HandleFunc("POST /_sim/grant-code", s.adminGrant)
	m.HandleFunc("POST /_sim/expire-tokens", func(w http.ResponseWriter, _ *http.Request) { s.ExpireTokens(); adminOK(w) })
	m.HandleFunc("POST /_sim/reset", func(w http.ResponseWriter, _ *http.Request) { s.Reset(); adminOK(w) })
	m.HandleFunc("POST /_sim/seed", s.adminSeed)
	m.HandleFunc("POST /_sim/generate", adminPost(func(g adminGenerate) error { return s.Generate(g.Module, g.Count, defaulted(g.Seed, 1)) }))
	m.HandleFunc("GET /_sim/records/{module}", s.adminRecords)
	m.HandleFunc("POST /_sim/records/{module}", s.adminLoad)
	m.HandleFunc("GET /_sim/records/{module}/{id}", s.adminRecord)
	m.HandleFunc("DELETE /_sim/records/{module}/{id}", s.adminDelete)
	m.HandleFunc("GET /_sim/writes/{module}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, s.WritesPerRecord(r.PathValue("module")))
	})
	return m
}

type adminField struct {
	Module string `json:"module"`
	Field
}

type adminGenerate struct {
	Module string `json:"module"`
	Count  int    `json:"count"`
	Seed   uint64 `json:"seed"`
}

type adminMessage struct {
	Error string `json:"error,omitempty"`
	OK    bool   `json:"ok,omitempty"`
}

func adminOK(w http.ResponseWriter) { writeJSON(w, http.StatusOK, adminMessage{OK: true}) }

func adminFail(w http.ResponseWriter, err error) {
	writeJSON(w, http.StatusBadRequest, adminMessage{Error: err.Error()})
}

// adminPost decodes a JSON body strictly and hands it to do.
func adminPost[T any](do func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		err := d.Decode(&v)
		if err == nil {
			err = do(v)
		}
		if err != nil {
			adminFail(w, err)
			return
		}
		adminOK(w)
	}
}

func baseOf(r *http.Request) string { return "http://" + r.Host }

// Endpoint is what a client needs to connect.
type Endpoint struct {
	BaseURL      string `json:"base_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
	GrantCode    string `json:"grant_code,omitempty"`
	OrgID        string `json:"org_id"`
}

// Endpoint gathers the credentials for a base URL, with a fresh grant code of all scopes.
func (s *Sim) Endpoint(base string) Endpoint {
	e := s.endpoint(base)
	e.GrantCode = s.NewGrantCode("")
	return e
}

func (s *Sim) endpoint(base string) Endpoint {
	return Endpoint{BaseURL: base, ClientID: s.ClientID(), ClientSecret: s.ClientSecret(), RefreshToken: s.RefreshToken(), OrgID: s.org.zgid}
}

type adminState struct {
	Endpoint
	Now      time.Time     `json:"now"`
	Edition  string        `json:"edition"`
	Users    int           `json:"users"`
	Modules  []adminModule `json:"modules"`
	Jobs     []adminJob    `json:"jobs"`
	Credits  Credits       `json:"credits"`
	Counters Counters      `json:"counters"`
	Faults   []Fault       `json:"faults"`
}

type adminModule struct {
	APIName string `json:"api_name"`
	Records int    `json:"records"`
	Deleted int    `json:"deleted"`
	Writes  int64  `json:"writes"`
}

type adminJob struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Module  string    `json:"module"`
	State   string    `json:"state"`
	Created time.Time `json:"created"`
	Added   int       `json:"added"`
	Updated int       `json:"updated"`
	Skipped int       `json:"skipped"`
	Rows    int       `json:"rows"`
}

// recentJobs bounds the jobs listed in the state.
const recentJobs = 200

func (s *Sim) state(base string) adminState {
	c := s.conf.Load()
	st := adminState{Endpoint: s.endpoint(base), Now: s.Now(), Edition: c.Edition, Users: c.Users, Credits: s.Credits(), Counters: s.Counters(), Faults: s.Faults()}
	s.store.mu.RLock()
	for _, t := range s.store.order {
		st.Modules = append(st.Modules, adminModule{t.APIName, t.live, len(t.removed), t.writes})
	}
	s.store.mu.RUnlock()
	jobs := s.jobs.all()
	for _, j := range jobs[max(0, len(jobs)-recentJobs):] {
		st.Jobs = append(st.Jobs, s.jobState(j))
	}
	return st
}

func (s *Sim) jobState(j *job) adminJob {
	ph := j.phase(s.Now())
	a := adminJob{ID: j.id, Created: j.created, State: s.conf.Load().Variants.writeState(ph)}
	if j.readJob != nil {
		a.Kind, a.Module = "read", j.readJob.table.APIName
		if ph == phaseDone {
			a.Rows = j.readJob.count
		}
		return a
	}
	a.Kind, a.Module = "write", j.write.plans[0].table.APIName
	for _, p := range j.write.plans {
		a.Rows += p.total
		if ph == phaseDone {
			a.Added, a.Updated, a.Skipped = a.Added+p.added, a.Updated+p.updated, a.Skipped+p.skipped
		}
	}
	return a
}

func (s *Sim) adminGrant(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Scopes string `json:"scopes"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil && err != io.EOF {
		adminFail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Code string `json:"code"`
	}{s.NewGrantCode(body.Scopes)})
}

func (s *Sim) adminSeed(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.Seed(data)
	}
	if err != nil {
		adminFail(w, err)
		return
	}
	adminOK(w)
}

func (s *Sim) adminRecords(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for rec := range s.Records(r.PathValue("module")) {
		if enc.Encode(rec) != nil {
			return
		}
	}
	_ = out.Flush() // the client may be gone
}

func (s *Sim) adminRecord(w http.ResponseWriter, r *http.Request) {
	rec := s.Record(r.PathValue("module"), r.PathValue("id"))
	if rec == nil {
		writeJSON(w, http.StatusNotFound, adminMessage{Error: "no such record"})
		return
	}
	writeJSON(w, http.StatusOK, rec)
}

func (s *Sim) adminDelete(w http.ResponseWriter, r *http.Request) {
	if !s.Delete(r.PathValue("module"), r.PathValue("id")) {
		writeJSON(w, http.StatusNotFound, adminMessage{Error: "no such record"})
		return
	}
	adminOK(w)
}

func (s *Sim) adminLoad(w http.ResponseWriter, r *http.Request) {
	n, err := s.LoadNDJSON(r.PathValue("module"), r.Body)
	if err != nil {
		adminFail(w, fmt.Errorf("%d records loaded, then: %w", n, err))
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Loaded int `json:"loaded"`
	}{n})
}
