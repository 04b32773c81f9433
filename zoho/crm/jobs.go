package crm

import "strings"

// JobState is the normalised state of a bulk job. Zoho spells states differently per API and page ("INPROGRESS",
// "IN PROGRESS", "FAILURE"); the spelling is gone here.
type JobState string

// The states. A job ends as JobCompleted or JobFailed.
const (
	JobAdded      JobState = "added"
	JobQueued     JobState = "queued"
	JobInProgress JobState = "in_progress"
	JobCompleted  JobState = "completed"
	JobFailed     JobState = "failed"
	JobSkipped    JobState = "skipped" // of a file or resource, never of a job
	JobUnknown    JobState = "unknown" // a spelling never seen; treat it as not ended
)

// Ended reports whether the state is final.
func (s JobState) Ended() bool { return s == JobCompleted || s == JobFailed }

func jobState(raw string) JobState {
	switch strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToUpper(raw)) {
	case "ADDED", "CREATED":
		return JobAdded
	case "QUEUED":
		return JobQueued
	case "INPROGRESS", "RUNNING":
		return JobInProgress
	case "COMPLETED", "COMPLETE":
		return JobCompleted
	case "FAILED", "FAILURE":
		return JobFailed
	case "SKIPPED":
		return JobSkipped
	}
	return JobUnknown
}
