package zohosim

import "time"

// settings is what POST /_sim/config changes: only the keys given. AdvanceClock moves the clock.
type settings struct {
	Edition              *string   `json:"edition,omitempty"`
	AddOnCredits         *int      `json:"add_on_credits,omitempty"`
	JobDuration          *Duration `json:"job_duration,omitempty"`
	JobPolls             *int      `json:"job_polls,omitempty"`
	PageRows             *int      `json:"page_rows,omitempty"`
	TokenLifetime        *Duration `json:"token_lifetime,omitempty"`
	GrantLifetime        *Duration `json:"grant_lifetime,omitempty"`
	MaxActiveTokens      *int      `json:"max_active_tokens,omitempty"`
	AutoConsent          *bool     `json:"auto_consent,omitempty"`
	DisableCredits       *bool     `json:"disable_credits,omitempty"`
	DisableConcurrency   *bool     `json:"disable_concurrency,omitempty"`
	DisableDownloadLimit *bool     `json:"disable_download_limit,omitempty"`
	DisableTokenThrottle *bool     `json:"disable_token_throttle,omitempty"`
	BaseURL              *string   `json:"base_url,omitempty"`
	Variants             *Variants `json:"variants,omitempty"`
	AdvanceClock         *Duration `json:"advance_clock,omitempty"`
}

func put[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// patch applies the given settings. Variants are replaced as a whole.
func (s *Sim) patch(p settings) error {
	err := s.Configure(func(c *Config) {
		put(&c.Edition, p.Edition)
		put(&c.AddOnCredits, p.AddOnCredits)
		put((*Duration)(&c.JobDuration), p.JobDuration)
		put(&c.JobPolls, p.JobPolls)
		put(&c.PageRows, p.PageRows)
		put((*Duration)(&c.TokenLifetime), p.TokenLifetime)
		put((*Duration)(&c.GrantLifetime), p.GrantLifetime)
		put(&c.MaxActiveTokens, p.MaxActiveTokens)
		put(&c.AutoConsent, p.AutoConsent)
		put(&c.DisableCredits, p.DisableCredits)
		put(&c.DisableConcurrency, p.DisableConcurrency)
		put(&c.DisableDownloadLimit, p.DisableDownloadLimit)
		put(&c.DisableTokenThrottle, p.DisableTokenThrottle)
		put(&c.BaseURL, p.BaseURL)
		put(&c.Variants, p.Variants)
	})
	if err == nil && p.AdvanceClock != nil {
		s.AdvanceClock(time.Duration(*p.AdvanceClock))
	}
	return err
}

// patchOf is the settings in force.
func (s *Sim) patchOf() settings {
	c := s.Config()
	return settings{Edition: &c.Edition, AddOnCredits: &c.AddOnCredits, JobDuration: (*Duration)(&c.JobDuration), JobPolls: &c.JobPolls, PageRows: &c.PageRows,
		TokenLifetime: (*Duration)(&c.TokenLifetime), GrantLifetime: (*Duration)(&c.GrantLifetime), MaxActiveTokens: &c.MaxActiveTokens, AutoConsent: &c.AutoConsent,
		DisableCredits: &c.DisableCredits, DisableConcurrency: &c.DisableConcurrency, DisableDownloadLimit: &c.DisableDownloadLimit,
		DisableTokenThrottle: &c.DisableTokenThrottle, BaseURL: &c.BaseURL, Variants: &c.Variants}
}
