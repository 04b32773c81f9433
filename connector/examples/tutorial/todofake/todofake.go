// Package todofake is the service that the tutorial's connector is made for, in
// memory: a small REST API as many public ones are.
//
//	GET    /v1/me                  {"name": "..."}
//	GET    /v1/tasks?page=1        {"tasks": [...], "next_page": 2}, 25 a page; next_page is null on the last one
//	         &changed_since=T      those changed at T or later
//	         &changed_before=T     those changed before T
//	PUT    /v1/tasks/{id}          creates or replaces a task: {"title": "...", "done": false, "due": "2026-01-31"}
//	DELETE /v1/tasks/{id}          204, also when there is none
//
// Every request carries "Authorization: Bearer KEY". Errors are
// {"error": {"code": "title_missing", "field": "title", "message": "..."}} with a
// status that says what kind of error it is.
package todofake

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Task is a task of the service.
type Task struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Done    bool      `json:"done"`
	Due     *string   `json:"due"`
	Changed time.Time `json:"changed"`
}

// pageSize is the number of tasks on a page.
const pageSize = 25

// Fake is the service. It is safe for concurrent use.
type Fake struct {
	key string

	mu    sync.Mutex
	tasks map[string]Task
}

// New returns a service that has no tasks and takes one key.
func New(key string) *Fake { return &Fake{key: key, tasks: map[string]Task{}} }

// Tasks returns all tasks, in the order of their ids.
func (f *Fake) Tasks() []Task {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sorted(func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
}

// Put puts a task there, as somebody else might.
func (f *Fake) Put(t Task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks[t.ID] = t
}

func (f *Fake) sorted(by func(a, b Task) int) []Task {
	var all []Task
	for _, t := range f.tasks {
		all = append(all, t)
	}
	slices.SortFunc(all, by)
	return all
}

// ServeHTTP answers a request.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"name": "Ada's tasks"})
	})
	mux.HandleFunc("GET /v1/tasks", f.list)
	mux.HandleFunc("PUT /v1/tasks/{id}", f.put)
	mux.HandleFunc("DELETE /v1/tasks/{id}", func(w http.ResponseWriter, r *http.Request) {
		delete(f.tasks, r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	})
	if r.Header.Get("Authorization") != "Bearer "+f.key {
		refuse(w, http.StatusUnauthorized, "unauthorized", "", "the key is not one of ours")
		return
	}
	mux.ServeHTTP(w, r)
}

func (f *Fake) list(w http.ResponseWriter, r *http.Request) {
	since, err := instant(r, "changed_since")
	before, err2 := instant(r, "changed_before")
	page, err3 := strconv.Atoi(cmp.Or(r.FormValue("page"), "1"))
	if err != nil || err2 != nil || err3 != nil || page < 1 {
		refuse(w, http.StatusBadRequest, "bad_query", "", "the query cannot be read")
		return
	}
	all := f.sorted(func(a, b Task) int { return cmp.Or(a.Changed.Compare(b.Changed), cmp.Compare(a.ID, b.ID)) })
	all = slices.DeleteFunc(all, func(t Task) bool {
		return t.Changed.Before(since) || !before.IsZero() && !t.Changed.Before(before)
	})
	from, to := min((page-1)*pageSize, len(all)), min(page*pageSize, len(all))
	answer := map[string]any{"tasks": append([]Task{}, all[from:to]...), "next_page": nil}
	if to < len(all) {
		answer["next_page"] = page + 1
	}
	reply(w, http.StatusOK, answer)
}

func instant(r *http.Request, name string) (time.Time, error) {
	if text := r.FormValue(name); text != "" {
		return time.Parse(time.RFC3339Nano, text)
	}
	return time.Time{}, nil
}

func (f *Fake) put(w http.ResponseWriter, r *http.Request) {
	t := Task{}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&t); err != nil {
		refuse(w, http.StatusBadRequest, "bad_body", "", "the body is no task")
		return
	}
	t.ID, t.Changed = r.PathValue("id"), time.Now().UTC().Truncate(time.Millisecond)
	if t.Title == "" {
		refuse(w, http.StatusUnprocessableEntity, "title_missing", "title", "a task needs a title")
		return
	}
	if t.Due != nil {
		if _, err := time.Parse(time.DateOnly, *t.Due); err != nil {
			refuse(w, http.StatusUnprocessableEntity, "due_invalid", "due", "a due date is written as 2026-01-31")
			return
		}
	}
	f.tasks[t.ID] = t
	reply(w, http.StatusOK, t)
}

func refuse(w http.ResponseWriter, status int, code, field, message string) {
	reply(w, status, map[string]any{"error": map[string]string{"code": code, "field": field, "message": message}})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that is gone misses nothing
}
