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

func defaulted[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
