package slack

import (
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
)

// meaning is what an error code of Slack's means here. The class says what
// becomes of the record: see [connector.StatusFor].
type meaning struct {
	class connector.Class
	// unsure is true when the call may have had its effect all the same.
	unsure bool
	help   string
}

// meanings is the one table of Slack's error codes. They are listed with each
// method (https://docs.slack.dev/reference/methods/chat.postMessage#errors); a
// code that is not here is a refusal of the record.
var meanings = map[string]meaning{
	// The login.
	"not_authed":                {class: connector.ClassAuth, help: helpToken},
	"invalid_auth":              {class: connector.ClassAuth, help: helpToken},
	"account_inactive":          {class: connector.ClassAuth, help: helpToken},
	"token_revoked":             {class: connector.ClassAuth, help: helpToken},
	"token_expired":             {class: connector.ClassAuth, help: helpToken},
	"not_allowed_token_type":    {class: connector.ClassAuth, help: helpToken},
	"missing_scope":             {class: connector.ClassPermission, help: "Add the scope to the app's bot, and install the app again."},
	"no_permission":             {class: connector.ClassPermission, help: "Have an administrator of the workspace allow it."},
	"access_denied":             {class: connector.ClassPermission, help: "Have an administrator of the workspace allow it."},
	"org_login_required":        {class: connector.ClassPermission, help: "The workspace is being moved; wait, or ask its administrator."},
	"team_access_not_granted":   {class: connector.ClassPermission, help: "Install the app in this workspace."},
	"ekm_access_denied":         {class: connector.ClassPermission, help: "The workspace's administrator has suspended posting."},
	"restricted_action":         {class: connector.ClassPermission, help: "A setting of the workspace keeps the bot from posting."},
	"team_added_to_org":         {class: connector.ClassTransient},
	"two_factor_setup_required": {class: connector.ClassPermission, help: "Set up two-factor authentication for the account."},

	// The channel.
	"channel_not_found":                        {class: connector.ClassConfig, help: helpChannel},
	"is_archived":                              {class: connector.ClassConfig, help: "The channel is archived; choose another one."},
	"not_in_channel":                           {class: connector.ClassPermission, help: "Invite the bot into the channel: /invite @its-name."},
	"restricted_action_read_only_channel":      {class: connector.ClassPermission, help: "Only some may post to this channel; allow the bot to, or choose another one."},
	"restricted_action_non_threadable_channel": {class: connector.ClassPermission, help: "Choose a channel that takes messages outside of threads."},

	// The message.
	"no_text":      {class: connector.ClassRejected},
	"msg_too_long": {class: connector.ClassRejected},

	// The pace.
	"ratelimited":            {class: connector.ClassRateLimited},
	"rate_limited":           {class: connector.ClassRateLimited},
	"message_limit_exceeded": {class: connector.ClassQuotaExhausted, help: "The workspace has posted all the messages its plan allows."},

	// Slack's own troubles. Of the last three it says that some aspect of the
	// operation may have succeeded.
	"request_timeout":     {class: connector.ClassTransient}, // the request was cut short on its way
	"service_unavailable": {class: connector.ClassTransient, unsure: true},
	"internal_error":      {class: connector.ClassTransient, unsure: true},
	"fatal_error":         {class: connector.ClassTransient, unsure: true},

	// What only a defect of the connector can bring about.
	"unknown_method":      {class: connector.ClassInternal},
	"method_deprecated":   {class: connector.ClassInternal},
	"deprecated_endpoint": {class: connector.ClassInternal},
	"invalid_arguments":   {class: connector.ClassInternal},
	"invalid_arg_name":    {class: connector.ClassInternal},
	"invalid_array_arg":   {class: connector.ClassInternal},
	"invalid_charset":     {class: connector.ClassInternal},
	"invalid_cursor":      {class: connector.ClassInternal}, // but see channels.go
	"invalid_form_data":   {class: connector.ClassInternal},
	"invalid_limit":       {class: connector.ClassInternal},
	"invalid_post_type":   {class: connector.ClassInternal},
	"missing_post_type":   {class: connector.ClassInternal},
}

const (
	helpToken   = "Connect again with the Bot User OAuth Token of an app that is installed in the workspace."
	helpChannel = "Choose a channel of the list; a private one is listed only after the bot was invited into it."
)

// refused is the error for {"ok": false}. Needed names missing scopes.
func refused(method, code, needed string) *connector.Error {
	m, known := meanings[code]
	if !known {
		m.class = connector.ClassRejected
	}
	e := connector.Errorf(m.class, strings.ToUpper(code), "%s was refused with the code %q", method, code)
	if needed != "" {
		e.Message += "; the scope needed is " + needed
	}
	if m.help != "" {
		e.Help = []connector.Help{{Description: m.help}}
	}
	if m.class == connector.ClassConfig {
		e.Fields = []connector.FieldViolation{{Field: fieldChannel, Description: m.help}}
	}
	return e
}

// failed is the error for a call without an answer.
func failed(method string, err error) error {
	e := *connector.AsError(egress.Redact(err))
	e.Message = method + ": " + e.Message
	e.Cause = err
	return &e
}

// certain reports whether a call that failed certainly had no effect: Slack
// said no in a way that leaves no doubt, or it was never sent.
func certain(err error) bool {
	if egress.NotSent(err) {
		return true
	}
	m, known := meanings[strings.ToLower(connector.AsError(err).Code)]
	return known && !m.unsure
}
