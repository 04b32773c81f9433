package zohosim

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Config says what organisation to simulate. The zero value is an Enterprise organisation with ten users whose bulk
// jobs finish at once and whose limits are all enforced.
type Config struct {
	// Edition decides credits and concurrency: free, standard, professional, enterprise (default) or ultimate, and
	// the bundles starter, zohoone and crmplus. It is reported as org.license_details.paid_type.
	Edition string
	// Users is the number of licensed users, default 10. Credits grow with it.
	Users int
	// AddOnCredits are bought credits added to the edition's, default 0.
	AddOnCredits int
	// TimeZone is the IANA name of the connected user's zone, default America/Los_Angeles.
	TimeZone string
	// Clock tells the time, default time.Now. It may be called from many goroutines.
	Clock func() time.Time

	// JobDuration is how long a bulk job stays unfinished; the default 0 finishes as soon as the work is done.
	JobDuration time.Duration
	// JobPolls, when above zero, makes jobs advance by status polls instead of time: the job runs at that poll.
	JobPolls int
	// PageRows is the number of rows in one bulk read page, default 200,000 (Zoho's per_page).
	PageRows int

	// TokenLifetime is the life of an access token, default one hour.
	TokenLifetime time.Duration
	// GrantLifetime is the life of a grant code, default two minutes.
	GrantLifetime time.Duration
	// MaxActiveTokens is how many access tokens of one refresh token are alive at once, default 10; a further one
	// silently invalidates the oldest.
	MaxActiveTokens int
	// RedirectURIs are the registered redirect URIs. Empty: any loopback URI is accepted.
	RedirectURIs []string
	// AutoConsent makes the authorize page redirect at once instead of showing a consent page.
	AutoConsent bool
	// ClientID, ClientSecret and RefreshToken fix the credentials; empty ones are made up at random.
	ClientID, ClientSecret, RefreshToken string

	// DisableCredits, DisableConcurrency, DisableDownloadLimit and DisableTokenThrottle switch one limit off each.
	// The books are kept all the same.
	DisableCredits, DisableConcurrency, DisableDownloadLimit, DisableTokenThrottle bool

	// RequestLogSize bounds the request log, default 10,000 entries; counters stay exact beyond it.
	RequestLogSize int
	// BaseURL is used in api_domain and absolute download URLs. Empty: taken from each request's Host.
	BaseURL string
	// Dir is where uploads and results are kept, in a directory removed by Close. Empty: the system's.
	Dir string
	// Callback sends job callbacks; nil uses a client with a ten-second timeout.
	Callback *http.Client
	// Seed seeds the random choices of faults and shuffles, default 1.
	Seed uint64
	// Variants chooses among readings of what Zoho leaves undocumented.
	Variants Variants
}

// Variants chooses how the simulator behaves where Zoho's documentation is silent or contradicts itself. The zero
// value is the behaviour best attested.
type Variants struct {
	// StatusCase is the letter case of STATUS in bulk write results: "upper" (default) or "lower".
	StatusCase string `json:"status_case"`
	// ShuffleResult shuffles the rows of bulk write results; by default they keep the order of the upload.
	ShuffleResult bool `json:"shuffle_result"`
	// EchoColumnOrder echoes the first three mapped columns in the order of the file instead of the mapping's.
	EchoColumnOrder bool `json:"echo_column_order"`
	// SkippedRecordID fills RECORD_ID of rows skipped as duplicates with the existing record's id.
	SkippedRecordID bool `json:"skipped_record_id"`
	// RelativeDownloadURL gives bulk write results a path without host (as the v7 pages print) instead of a URL.
	RelativeDownloadURL bool `json:"relative_download_url"`
	// MultiSelectSeparator joins multi-select values in bulk read cells, default ";".
	MultiSelectSeparator string `json:"multi_select_separator"`
	// MandatoryAsFailedJob accepts a job whose mandatory fields are not mapped and lets it fail, instead of HTTP 400.
	MandatoryAsFailedJob bool `json:"mandatory_as_failed_job"`
	// MandatoryOnUpdate also demands mapped mandatory fields for update jobs.
	MandatoryOnUpdate bool `json:"mandatory_on_update"`
	// UnknownJobStatus is the HTTP status for an unknown bulk write job: 404 (default) or 400.
	UnknownJobStatus int `json:"unknown_job_status"`
	// IDColumn names the id column of bulk read results, default "Id".
	IDColumn string `json:"id_column"`
	// RejectUnknownPicklist rejects values a picklist does not hold; by default bulk write adds them.
	RejectUnknownPicklist bool `json:"reject_unknown_picklist"`
	// TokenErrorStatus is the HTTP status of OAuth errors: 200 (default) or 400.
	TokenErrorStatus int `json:"token_error_status"`
	// EmptyResultFile makes a bulk read without rows an empty file; by default it holds the header.
	EmptyResultFile bool `json:"empty_result_file"`
	// SpacedInProgress spells the bulk write state "IN PROGRESS" instead of "INPROGRESS".
	SpacedInProgress bool `json:"spaced_in_progress"`
	// StrictDates accepts only MM/dd/yyyy forms in bulk write cells without a format; by default also ISO forms.
	StrictDates bool `json:"strict_dates"`
	// RowLimit is the most rows in one bulk write file, default 25,000; the v8 page also names 10,000.
	RowLimit int `json:"row_limit"`
	// FileUsedOnce refuses a second job on the same file with ALREADY_USED.
	FileUsedOnce bool `json:"file_used_once"`
	// NonUniqueFindBy is what a find_by on a non-unique field does: "refuse" (default) or "insert".
	NonUniqueFindBy string `json:"non_unique_find_by"`
	// RetryAfter, when above zero, is sent with every 429 in seconds; Zoho documents no such header.
	RetryAfter int `json:"retry_after"`
	// COQLRows is the most rows in one COQL answer, default 2,000; one page says 200.
	COQLRows int `json:"coql_rows"`
	// OmitIDField leaves "id" out of the fields list; by default it is listed.
	OmitIDField bool `json:"omit_id_field"`
	// UploadCost is the credits an upload takes, default 0.
	UploadCost int `json:"upload_cost"`
	// NoPageToken answers bulk reads without next_page_token, as the versions before v6 do.
	NoPageToken bool `json:"no_page_token"`
	// OmitTokenScope leaves scope out of token answers, as older servers do.
	OmitTokenScope bool `json:"omit_token_scope"`
}

// withDefaults fills in unset fields and refuses contradictions.
func (c Config) withDefaults() (Config, error) {
	c.Edition = defaulted(c.Edition, "enterprise")
	c.Users = defaulted(c.Users, 10)
	c.TimeZone = defaulted(c.TimeZone, "America/Los_Angeles")
	c.PageRows = defaulted(c.PageRows, 200_000)
	c.TokenLifetime = defaulted(c.TokenLifetime, time.Hour)
	c.GrantLifetime = defaulted(c.GrantLifetime, 2*time.Minute)
	c.MaxActiveTokens = defaulted(c.MaxActiveTokens, 10)
	c.RequestLogSize = defaulted(c.RequestLogSize, 10_000)
	c.Seed = defaulted(c.Seed, 1)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Callback == nil {
		c.Callback = &http.Client{Timeout: 10 * time.Second}
	}
	c.Variants = c.Variants.withDefaults()
	return c, c.validate()
}

func (c Config) validate() error {
	var errs []error
	if _, ok := editions[c.Edition]; !ok {
		errs = append(errs, fmt.Errorf("edition %q is unknown: use one of %s", c.Edition, editionNames()))
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		errs = append(errs, fmt.Errorf("time zone: %w", err))
	}
	if c.Users < 1 || c.Users > 5000 {
		errs = append(errs, fmt.Errorf("users must be 1 to 5000, not %d", c.Users))
	}
	if c.JobDuration < 0 || c.JobPolls < 0 || c.AddOnCredits < 0 || c.PageRows < 1 || c.PageRows > 200_000 {
		errs = append(errs, errors.New("job duration, job polls and add-on credits must not be negative; page rows are 1 to 200000"))
	}
	errs = append(errs, c.Variants.validate())
	return errors.Join(errs...)
}

func (v Variants) withDefaults() Variants {
	v.StatusCase = defaulted(v.StatusCase, "upper")
	v.MultiSelectSeparator = defaulted(v.MultiSelectSeparator, ";")
	v.UnknownJobStatus = defaulted(v.UnknownJobStatus, http.StatusNotFound)
	v.IDColumn = defaulted(v.IDColumn, "Id")
	v.TokenErrorStatus = defaulted(v.TokenErrorStatus, http.StatusOK)
	v.RowLimit = defaulted(v.RowLimit, 25_000)
	v.NonUniqueFindBy = defaulted(v.NonUniqueFindBy, "refuse")
	v.COQLRows = defaulted(v.COQLRows, 2000)
	return v
}

func (v Variants) validate() error {
	if v.StatusCase != "upper" && v.StatusCase != "lower" {
		return fmt.Errorf("status_case %q is neither upper nor lower", v.StatusCase)
	}
	if v.NonUniqueFindBy != "refuse" && v.NonUniqueFindBy != "insert" {
		return fmt.Errorf("non_unique_find_by %q is neither refuse nor insert", v.NonUniqueFindBy)
	}
	if v.UnknownJobStatus != 400 && v.UnknownJobStatus != 404 {
		return fmt.Errorf("unknown_job_status %d is neither 400 nor 404", v.UnknownJobStatus)
	}
	if v.TokenErrorStatus != 200 && v.TokenErrorStatus != 400 {
		return fmt.Errorf("token_error_status %d is neither 200 nor 400", v.TokenErrorStatus)
	}
	if v.RowLimit < 1 || v.COQLRows < 1 || v.UploadCost < 0 || v.RetryAfter < 0 {
		return errors.New("row_limit and coql_rows must be positive, upload_cost and retry_after not negative")
	}
	return nil
}

func defaulted[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
