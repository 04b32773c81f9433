package zoho

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// classes is how Zoho's classes become the contract's.
var classes = map[crm.Class]connector.Class{
	crm.ClassConfig:        connector.ClassConfig,
	crm.ClassAuth:          connector.ClassAuth,
	crm.ClassPermission:    connector.ClassPermission,
	crm.ClassRateLimited:   connector.ClassRateLimited,
	crm.ClassQuota:         connector.ClassQuotaExhausted,
	crm.ClassTransient:     connector.ClassTransient,
	crm.ClassRejected:      connector.ClassRejected,
	crm.ClassSchemaChanged: connector.ClassSchemaChanged,
	crm.ClassTooLarge:      connector.ClassTooLarge,
	crm.ClassNotFound:      connector.ClassRejected, // a job or file that is gone; callers that can make another do so first
	crm.ClassInternal:      connector.ClassInternal,
}

// remedy is what is special about a code: another class than its own, and what
// the user can do.
type remedy struct {
	class connector.Class // "" keeps the class of the code
	help  string
	url   string
}

const (
	helpScopesURL = "https://www.zoho.com/crm/developer/docs/api/v8/scopes.html"
	helpAuthURL   = "https://www.zoho.com/crm/developer/docs/api/v8/multi-dc.html"
)

// remedies is the one table of exceptions and help by code.
var remedies = map[string]remedy{
	"INVALID_CLIENT": {connector.ClassAuth, "Check that the client id is copied whole from the API console, and that the data center chosen in the connection is the one " +
		"the client was registered in; a client is unknown everywhere else unless multi-DC is switched on for it.", consoleURL},
	"INVALID_CLIENT_SECRET": {connector.ClassAuth, "Copy the client secret anew from the API console. Each data center has its own secret unless the client shares one.", consoleURL},
	"INVALID_REDIRECT_URI":  {connector.ClassConfig, "Register the redirect URI of this host, letter by letter, with the client in the API console.", consoleURL},
	"INVALID_CODE": {connector.ClassAuth, "Connect again. A grant code works once and for a few minutes only; a refresh token ends when it is revoked, when the user made more " +
		"than 20 of them, or when it is used in another data center than its own.", helpAuthURL},
	"INVALID_GRANT":          {connector.ClassAuth, "Connect again to get a new grant.", helpAuthURL},
	"INVALID_SCOPE":          {connector.ClassConfig, "Ask for the scopes listed in the connection form, spelled exactly so.", helpScopesURL},
	"OTHER_DC":               {connector.ClassConfig, "Choose the data center the account lives in.", helpAuthURL},
	"UNAUTHORIZED_CLIENT":    {connector.ClassAuth, "Use a server-based client for logging in, a self client for grant codes.", consoleURL},
	"UNSUPPORTED_GRANT_TYPE": {connector.ClassAuth, "Use a server-based client for logging in, a self client for grant codes.", consoleURL},
	"MISSING_ORG_INFO":       {connector.ClassConfig, "Use one of the connection methods offered; client credentials are none of them.", consoleURL},
	"ACCESS_DENIED_BY_USER":  {connector.ClassAuth, "Connect again and accept the consent page.", ""},
	"ACCESS_DENIED":          {connector.ClassRateLimited, "Wait ten minutes: Zoho gives ten access tokens in ten minutes per refresh token. Do not share one grant among programs that each refresh it.", ""},
	"INVALID_TOKEN": {connector.ClassAuth, "Connect again. If that does not help, the account lives in another data center, or the consent was given for another environment " +
		"(production, sandbox, developer) than the one chosen.", helpAuthURL},
	"AUTHENTICATION_FAILURE": {connector.ClassAuth, "Connect again; if it goes on, check what stands between Sluice and Zoho.", ""},
	"OAUTH_SCOPE_MISMATCH":   {connector.ClassPermission, "Connect again and consent to the scopes named here; a new grant is needed, refreshing does not add scopes.", helpScopesURL},
	"NO_PERMISSION":          {connector.ClassPermission, "Give the profile of the connected user the right named by Zoho, API access included, or connect as another user.", ""},
	"AUTHORIZATION_FAILED":   {connector.ClassPermission, "Give the connected user the privilege, or connect as another user.", ""},
	"NOT_ALLOWED":            {connector.ClassPermission, "Connect as a user who may do this.", ""},
	"NOT_SUPPORTED":          {connector.ClassPermission, "Connect as an administrator, or choose another module.", ""},
	"MANDATORY_FIELDS_NOT_MAPPED": {connector.ClassConfig, "Map every field named here: they are mandatory in the module or in its default layout.",
		"https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/create-job.html"},
	"INVALID_MODULE":        {"", "Choose a module of the list; it was renamed, deleted, or does not support this call.", ""},
	"MODULE_NOT_AVAILABLE":  {"", "Choose a module of the list; it was renamed or deleted, or the user cannot see it.", ""},
	"MODULE_NOT_SUPPORTED":  {"", "Choose another module; this one does not support the call.", ""},
	"FEATURE_NOT_ENABLED":   {"", "Have the feature enabled in Zoho CRM, or choose another module.", ""},
	"NOT_SUPPORTED_FEATURE": {"", "Choose another module, or an edition that has the feature.", ""},
	"INVALID_FIELD":         {"", "Refresh the list of fields and correct the mapping: a field was renamed or deleted, or bulk write does not take it.", ""},
	"INVALID_FIELD_NAME":    {"", "Refresh the list of fields and correct the mapping: a field was renamed or deleted.", ""},
	"INVALID_URL_PATTERN":   {"", "Check the endpoint override; it must be the base URL without a path of the API.", ""},
	"TOO_MANY_REQUESTS":     {"", "Nothing to do if it passes; otherwise lower the limits or the concurrency, or buy API credits.", crm.PageAPILimits},
	crm.CodeUntrustedHost:   {"", "If the host belongs to Zoho, report it; nothing was sent to it.", ""},
	crm.CodeTransport:       {"", "Check the network and the data center; it is tried again by itself.", ""},
}

// scopeUses says which use of [crm.ScopesFor] an operation is, so that a
// missing scope can be named.
var scopeUses = map[crm.Op]crm.Use{
	crm.OpOrg: crm.UseOrganization, crm.OpModules: crm.UseMetadata, crm.OpFields: crm.UseMetadata, crm.OpLayouts: crm.UseLayouts, crm.OpUsers: crm.UseUsers,
	crm.OpUpload: crm.UseBulkWrite, crm.OpBulkWriteCreate: crm.UseBulkWrite, crm.OpBulkWriteStatus: crm.UseBulkWrite, crm.OpBulkWriteResult: crm.UseBulkWrite,
	crm.OpBulkReadCreate: crm.UseBulkRead, crm.OpBulkReadStatus: crm.UseBulkRead, crm.OpBulkReadResult: crm.UseBulkRead,
	crm.OpRecordsList: crm.UseRecordsRead, crm.OpRecordGet: crm.UseRecordsRead, crm.OpDeletedList: crm.UseRecordsRead,
	crm.OpRecordsInsert: crm.UseRecordsWrite, crm.OpRecordsUpdate: crm.UseRecordsWrite, crm.OpRecordsUpsert: crm.UseRecordsWrite,
	crm.OpRecordsDelete: crm.UseRecordsDelete, crm.OpMassDelete: crm.UseMassDelete, crm.OpCOQL: crm.UseCOQL, crm.OpRecordsCount: crm.UseCount,
}

// translate turns a failure of package crm into the contract's error. What
// says what was being done, such as "creating the bulk write job for Leads".
// An error that is the contract's already (from package egress) keeps its
// class and code.
func translate(err error, what string) *connector.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*connector.Error](err); ok {
		out := *e
		out.Message = what + ": " + strings.TrimPrefix(e.Message, what+": ")
		return &out
	}
	z, ok := errors.AsType[*crm.Error](err)
	if !ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e := connector.AsError(err)
		return &connector.Error{Class: e.Class, Code: e.Code, Message: what + ": " + e.Message, Cause: err}
	}
	return translateCRM(z, what)
}

func translateCRM(z *crm.Error, what string) *connector.Error {
	out := &connector.Error{Class: classes[z.Class()], Code: z.Code, Message: what + ": " + sayCRM(z), Cause: z}
	if r, ok := remedies[z.Code]; ok {
		if r.class != "" && z.HTTPStatus < 500 {
			out.Class = r.class
		}
		out.Help = append(out.Help, connector.Help{Description: r.help, URL: r.url})
	} else if info, ok := crm.Lookup(z.Code); ok {
		out.Help = append(out.Help, connector.Help{Description: sentence(info.Description)})
	}
	if z.Code == "OAUTH_SCOPE_MISMATCH" {
		if use, ok := scopeUses[z.Op]; ok {
			out.Message += "; the scopes needed are " + strings.Join(crm.ScopesFor([]crm.Use{use}), ",")
		}
	}
	switch out.Class {
	case connector.ClassRateLimited, connector.ClassTransient:
		out.RetryAfter = z.Wait()
	case connector.ClassQuotaExhausted:
		// Credits come back one by one, 24 hours after they were spent.
		out.RetryAfter, out.ResetAt = z.Wait(), time.Now().Add(z.Wait())
	}
	return out
}

// refusalOf is the outcome of a record that Zoho refused with a code, and the
// class of its error: to be sent again where the same record may be taken later,
// else rejected. What a code says about a whole call does not matter here: the
// call was answered.
func refusalOf(code string) (connector.Status, connector.Class) {
	if info, ok := crm.Lookup(code); ok && info.Retriable {
		return connector.StatusRetry, classes[info.Class]
	}
	return connector.StatusRejected, connector.ClassRejected
}

// sayCRM is the failure in Zoho's words, without the advice that Help carries.
func sayCRM(z *crm.Error) string {
	var b strings.Builder
	b.WriteString(z.Code)
	switch {
	case z.Message != "":
		b.WriteString(" (" + z.Message + ")")
	case z.Err != nil:
		b.WriteString(" (" + z.Err.Error() + ")")
	}
	if names := permissionNames(z.Details); names != "" {
		b.WriteString(", missing: " + names)
	}
	return b.String()
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// notSent reports whether a failed call certainly did not reach Zoho, so that
// even one that is not idempotent may be made again.
func notSent(err error) bool {
	z, ok := errors.AsType[*crm.Error](err)
	return ok && z.NotSent
}

// answered reports whether Zoho itself refused the call, so that it certainly
// had no effect. A server failure or a gateway's words prove nothing.
func answered(err error) bool {
	z, ok := errors.AsType[*crm.Error](err)
	return ok && z.HTTPStatus >= 400 && z.HTTPStatus < 500
}

// classOf is the contract's class of an error.
func classOf(err error) connector.Class { return translate(err, "").Class }
