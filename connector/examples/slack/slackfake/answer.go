package slackfake

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// fields are a JSON object.
type fields map[string]any

// answer is what a call is answered with.
type answer struct {
	status     int // 0 is 200
	retryAfter int // seconds, 0 is none
	fields     fields
}

func yes(f fields) answer {
	f["ok"] = true
	return answer{fields: f}
}

func no(code string) answer { return answer{fields: fields{"ok": false, "error": code}} }

func tooMany(seconds int) answer {
	a := no("ratelimited")
	a.status, a.retryAfter = http.StatusTooManyRequests, seconds
	return a
}

func (a answer) write(w http.ResponseWriter, scopes []string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-OAuth-Scopes", strings.Join(scopes, ","))
	if a.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_ = json.NewEncoder(w).Encode(a.fields) // a caller that is gone misses nothing
}

func (c Channel) fields() fields {
	f := fields{
		"id": c.ID, "name": c.Name, "is_channel": !c.Private, "is_private": c.Private, "is_archived": c.Archived, "is_member": c.Member,
		"created": 1_449_252_889, "creator": "U0ADMIN", "topic": fields{"value": c.Topic, "creator": "", "last_set": 0}, "purpose": fields{"value": c.Purpose, "creator": "", "last_set": 0},
	}
	if !c.Archived {
		f["num_members"] = c.Members
	}
	return f
}
