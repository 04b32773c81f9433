package zohosim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Variants chooses how the simulator behaves where Zoho's documentation is silent or contradicts itself. The zero
// value is the behaviour best attested. [VariantList] lists the choices.
type Variants struct {
	// StatusCase is the letter case of STATUS in bulk write results: "upper" (default), "lower" or "title".
	StatusCase string `json:"status_case"`
	// SkippedStatus is the STATUS of rows that were not written, default "SKIPPED".
	SkippedStatus string `json:"skipped_status"`
	// OmitSkipped leaves rows that were not written out of bulk write results.
	OmitSkipped bool `json:"omit_skipped"`
	// ShuffleResult shuffles the rows of bulk write results; by default they keep the order of the upload.
	ShuffleResult bool `json:"shuffle_result"`
	// EchoColumnOrder echoes the first three mapped columns in the order of the file instead of the mapping's.
	EchoColumnOrder bool `json:"echo_column_order"`
	// SkippedRecordID fills RECORD_ID of rows skipped as duplicates with the existing record's id.
	SkippedRecordID bool `json:"skipped_record_id"`

	// RelativeDownloadURL gives bulk write results a path without host (as the v7 pages print) instead of a URL.
	RelativeDownloadURL bool `json:"relative_download_url"`
	// DownloadBase is the scheme and host of absolute bulk write download URLs; default the API's own.
	DownloadBase string `json:"download_base"`
	// DownloadNeedsOrg demands the header X-CRM-ORG on downloads of bulk write results.
	DownloadNeedsOrg bool `json:"download_needs_org"`
	// UploadHost takes uploads on this host name only, default on any.
	UploadHost string `json:"upload_host"`

	// DefaultDates are the dates bulk write takes in cells without a format: "any" (default), "us" for MM/dd/yyyy forms
	// only, or "iso" for yyyy-MM-dd forms only.
	DefaultDates string `json:"default_dates"`
	// RefuseOffsetFormats refuses date-time formats that hold an offset or a zone with INVALID_FORMAT.
	RefuseOffsetFormats bool `json:"refuse_offset_formats"`
	// UserTimeZone is the IANA name of the connected user's zone when it is not the organisation's. Date-times without
	// offset are in it, and answers are rendered in it.
	UserTimeZone string `json:"user_time_zone"`
	// MultiSelectSeparator joins multi-select values in bulk read cells, default ";".
	MultiSelectSeparator string `json:"multi_select_separator"`

	// RowLimit is the most rows in one bulk write file, default 25,000; the v8 page also names 10,000.
	RowLimit int `json:"row_limit"`
	// ChildRows is the most rows in the file of a child module, default 0 for no bound of its own; one page says 200.
	ChildRows int `json:"child_rows"`
	// OpenJobs is the most bulk jobs unfinished at once, DailyJobs the most created in 24 hours; a further one is
	// answered 429. Default 0, no bound.
	OpenJobs  int `json:"open_jobs"`
	DailyJobs int `json:"daily_jobs"`
	// ResultDays is how long results of bulk write are kept, default 7.
	ResultDays int `json:"result_days"`
	// BulkWorkflows fires automation for rows written in bulk: a workflow touches each record a second later. By
	// default only record calls fire it, unless they send an empty trigger.
	BulkWorkflows bool `json:"bulk_workflows"`

	// RepeatedKey is what the second row of a key does in one file: "update" (default) what the first one wrote, or
	// "skip" with DUPLICATE_DATA.
	RepeatedKey string `json:"repeated_key"`
	// NonUniqueFindBy is what a find_by on a non-unique field does: "refuse" (default) or "insert".
	NonUniqueFindBy string `json:"non_unique_find_by"`
	// FindByIDOnly refuses every find_by of a resource but id, as the newest OpenAPI file reads.
	FindByIDOnly bool `json:"find_by_id_only"`
	// FileUsedOnce refuses a second job on the same file with ALREADY_USED.
	FileUsedOnce bool `json:"file_used_once"`

	// MandatoryAsFailedJob accepts a job whose mandatory fields are not mapped and lets it fail, instead of HTTP 400.
	MandatoryAsFailedJob bool `json:"mandatory_as_failed_job"`
	// MandatoryOnUpdate also demands mapped mandatory fields for update jobs.
	MandatoryOnUpdate bool `json:"mandatory_on_update"`
	// FailedJob is what a failed bulk write job tells: "code" (default) and message on each resource, "bare" for
	// nothing but its status, or "result" for a result file of unprocessed rows beside the code.
	FailedJob string `json:"failed_job"`
	// UnknownJobStatus is the HTTP status for an unknown bulk write job: 404 (default) or 400.
	UnknownJobStatus int `json:"unknown_job_status"`
	// ExpiredStatus is the HTTP status for a result that is kept no longer: 404 (default), 400 or 410.
	ExpiredStatus int `json:"expired_status"`
	// SpacedInProgress spells the bulk write state "IN PROGRESS" instead of "INPROGRESS".
	SpacedInProgress bool `json:"spaced_in_progress"`

	// TokenErrorStatus is the HTTP status of OAuth errors: 200 (default) or 400.
	TokenErrorStatus int `json:"token_error_status"`
	// OmitTokenScope leaves scope out of token answers, as older servers do.
	OmitTokenScope bool `json:"omit_token_scope"`
	// BareServerInfo answers serverinfo with the locations alone.
	BareServerInfo bool `json:"bare_server_info"`

	// ThrottleMessage is the message of every 429, default Zoho's older wording.
	ThrottleMessage string `json:"throttle_message"`
	// RetryAfter, when above zero, is sent with every 429 in seconds; Zoho documents no such header.
	RetryAfter int `json:"retry_after"`
	// OmitCreditsHeader never sends X-API-CREDITS-REMAINING, so that spent credits look like any other 429.
	OmitCreditsHeader bool `json:"omit_credits_header"`

	// COQLRows, COQLFields and COQLReach are the most rows in one COQL answer (default 2,000; one page says 200), the
	// most fields (500; older text 50) and the most records reached by offset (100,000; older text 10,000).
	COQLRows   int `json:"coql_rows"`
	COQLFields int `json:"coql_fields"`
	COQLReach  int `json:"coql_reach"`

	// NoPageToken answers bulk reads without next_page_token. PageTokenSince is the first API version to give one,
	// default 6.
	NoPageToken    bool `json:"no_page_token"`
	PageTokenSince int  `json:"page_token_since"`
	// MaxPage is the highest page of a bulk read, default 500; the SDKs say 50.
	MaxPage int `json:"max_page"`
	// IDColumn names the id column of bulk read results, default "Id"; IDColumnLast puts it last instead of first.
	IDColumn     string `json:"id_column"`
	IDColumnLast bool   `json:"id_column_last"`
	// EmptyResultFile makes a bulk read without rows an empty file; by default it holds the header.
	EmptyResultFile bool `json:"empty_result_file"`
	// ReadContentType is the content type of bulk read results, default application/zip.
	ReadContentType string `json:"read_content_type"`

	// UploadCost, DeletedListCost and DeleteCost are the credits of an upload (default 0), of a page of the deleted list
	// (2) and of a delete call (1).
	UploadCost      int `json:"upload_cost"`
	DeletedListCost int `json:"deleted_list_cost"`
	DeleteCost      int `json:"delete_cost"`

	// PaidType is what org.license_details.paid_type says, default the edition's name.
	PaidType string `json:"paid_type"`
	// BulkNeedsPaid refuses bulk jobs in the editions free, starter and standard with FEATURE_NOT_ENABLED.
	BulkNeedsPaid bool `json:"bulk_needs_paid"`
	// RejectUnknownPicklist rejects values a picklist does not hold; by default bulk write adds them.
	RejectUnknownPicklist bool `json:"reject_unknown_picklist"`
	// OmitIDField leaves "id" out of the fields list; by default it is listed.
	OmitIDField bool `json:"omit_id_field"`
}

func (v Variants) withDefaults() Variants {
	v.StatusCase = defaulted(v.StatusCase, "upper")
	v.SkippedStatus = defaulted(v.SkippedStatus, statusSkipped)
	v.DefaultDates = defaulted(v.DefaultDates, "any")
	v.MultiSelectSeparator = defaulted(v.MultiSelectSeparator, ";")
	v.RowLimit = defaulted(v.RowLimit, 25_000)
	v.ResultDays = defaulted(v.ResultDays, 7)
	v.RepeatedKey = defaulted(v.RepeatedKey, "update")
	v.NonUniqueFindBy = defaulted(v.NonUniqueFindBy, "refuse")
	v.FailedJob = defaulted(v.FailedJob, "code")
	v.UnknownJobStatus = defaulted(v.UnknownJobStatus, http.StatusNotFound)
	v.ExpiredStatus = defaulted(v.ExpiredStatus, http.StatusNotFound)
	v.TokenErrorStatus = defaulted(v.TokenErrorStatus, http.StatusOK)
	v.ThrottleMessage = defaulted(v.ThrottleMessage, "too many requests. please try again after some time")
	v.COQLRows = defaulted(v.COQLRows, 2000)
	v.COQLFields = defaulted(v.COQLFields, 500)
	v.COQLReach = defaulted(v.COQLReach, 100_000)
	v.PageTokenSince = defaulted(v.PageTokenSince, 6)
	v.MaxPage = defaulted(v.MaxPage, 500)
	v.IDColumn = defaulted(v.IDColumn, "Id")
	v.ReadContentType = defaulted(v.ReadContentType, "application/zip")
	v.DeletedListCost = defaulted(v.DeletedListCost, 2)
	v.DeleteCost = defaulted(v.DeleteCost, 1)
	return v
}

func (v Variants) validate() error {
	var errs []error
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			errs = append(errs, fmt.Errorf("%s %q is none of %s", key, value, strings.Join(allowed, ", ")))
		}
	}
	status := func(key string, value int, allowed ...int) {
		if !slices.Contains(allowed, value) {
			errs = append(errs, fmt.Errorf("%s %d is none of %v", key, value, allowed))
		}
	}
	oneOf("status_case", v.StatusCase, "upper", "lower", "title")
	oneOf("default_dates", v.DefaultDates, "any", "us", "iso")
	oneOf("repeated_key", v.RepeatedKey, "update", "skip")
	oneOf("non_unique_find_by", v.NonUniqueFindBy, "refuse", "insert")
	oneOf("failed_job", v.FailedJob, "code", "bare", "result")
	status("unknown_job_status", v.UnknownJobStatus, 400, 404)
	status("expired_status", v.ExpiredStatus, 400, 404, 410)
	status("token_error_status", v.TokenErrorStatus, 200, 400)
	if v.RowLimit < 1 || v.COQLRows < 1 || v.COQLFields < 1 || v.COQLReach < 1 || v.MaxPage < 1 || v.ResultDays < 1 {
		errs = append(errs, errors.New("row_limit, coql_rows, coql_fields, coql_reach, max_page and result_days must be positive"))
	}
	if v.UploadCost < 0 || v.DeletedListCost < 0 || v.DeleteCost < 0 || v.RetryAfter < 0 || v.ChildRows < 0 || v.OpenJobs < 0 || v.DailyJobs < 0 {
		errs = append(errs, errors.New("costs, retry_after, child_rows, open_jobs and daily_jobs must not be negative"))
	}
	if s := strings.ToUpper(v.SkippedStatus); s == statusAdded || s == statusUpdated {
		errs = append(errs, fmt.Errorf("skipped_status %q is the status of a written row", v.SkippedStatus))
	}
	if u, err := url.Parse(v.DownloadBase); v.DownloadBase != "" && (err != nil || u.Host == "") {
		errs = append(errs, errors.New("download_base is no URL"))
	}
	if _, err := time.LoadLocation(v.UserTimeZone); err != nil {
		errs = append(errs, fmt.Errorf("user_time_zone: %w", err))
	}
	return errors.Join(errs...)
}
