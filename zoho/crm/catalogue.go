package crm

import (
	"slices"
	"strings"
	"time"
)

// Lookup returns what is known about an error code. Letter case, spaces and underscores do not matter. The second result
// is false for a code that is not in the catalogue.
func Lookup(code string) (CodeInfo, bool) {
	i, ok := slices.BinarySearchFunc(catalogue, normalizeCode(code), func(c CodeInfo, want string) int {
		return strings.Compare(c.Code, want)
	})
	if !ok {
		return CodeInfo{}, false
	}
	return catalogue[i], true
}

// Codes returns the whole catalogue, sorted by code.
func Codes() []CodeInfo { return slices.Clone(catalogue) }

func normalizeCode(code string) string {
	return strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(code)), " ", "_")
}

// catalogue is sorted by code. Sources: the status code page
// (https://www.zoho.com/crm/developer/docs/api/v8/status-codes.html), the error lists of the pages for bulk write, bulk
// read, records and COQL beside it, the code lists of Zoho's OpenAPI files, and for the lower-case OAuth answers
// https://www.zoho.com/accounts/protocol/oauth/.
var catalogue = slices.SortedFunc(slices.Values(slices.Concat(
	ownCodes, oauthCodes, accessCodes, requestCodes, schemaCodes, bulkCodes, criteriaCodes, recordCodes, serverCodes,
)), func(a, b CodeInfo) int { return strings.Compare(a.Code, b.Code) })

func row(code string, class Class, description string) CodeInfo {
	return CodeInfo{Code: code, Class: class, Description: description}
}

func later(code string, class Class, wait time.Duration, description string) CodeInfo {
	return CodeInfo{Code: code, Class: class, Retriable: true, Wait: wait, Description: description}
}

var ownCodes = []CodeInfo{
	later(CodeTransport, ClassTransient, 2*time.Second, "no answer arrived; check the network and the configured hosts"),
	later(CodeBadAnswer, ClassTransient, 2*time.Second, "the answer is not what Zoho documents; a proxy or gateway may have spoken instead"),
	row(CodeResultCount, ClassInternal, "the number of results differs from the number of records sent; the records must be looked up before anything is sent again"),
	row(CodeInvalidArgument, ClassInternal, "the call was refused before it was sent"),
	row(CodeDownloadLimit, ClassTooLarge, "the file is larger than the bound; raise it with WithMaxDownload or read fewer fields"),
	later(CodeJobFailed, ClassTransient, 30*time.Second, "Zoho does not say why the job failed; its records may or may not have been written"),
	later(CodeBadArchive, ClassTransient, 5*time.Second, "the result file is damaged or not what Zoho documents; download it again, then create the job again"),
	row(CodeUntrustedHost, ClassConfig, "allow the host with WithDownloadHosts if it belongs to Zoho"),
	row(CodeJobNotComplete, ClassInternal, "ask for the result only when the job's state is completed"),
	row(codeByStatus, ClassRejected, "Zoho answered without an error code"),
}

// oauthCodes are the answers of the token endpoint, most of them with HTTP 200.
var oauthCodes = []CodeInfo{
	row("INVALID_CLIENT", ClassConfig, "unknown client id, a client of another data center, or the wrong kind of client; check the client id and the data center"),
	row("INVALID_CLIENT_SECRET", ClassConfig, "wrong client secret; each data center has its own unless the client shares one"),
	row("INVALID_REDIRECT_URI", ClassConfig, "the redirect URI differs from the registered one"),
	row("INVALID_CODE", ClassAuth, "the grant code or refresh token is expired, used, revoked or of another data center; authorise again"),
	row("INVALID_GRANT", ClassAuth, "the grant code or refresh token is not accepted; authorise again"),
	row("INVALID_SCOPE", ClassConfig, "a scope name is unknown"),
	row("MISSING_ORG_INFO", ClassConfig, "client credentials need the organisation: soid=ZohoCRM.{zgid}"),
	row("OTHER_DC", ClassConfig, "the user belongs to another data center"),
	row("UNSUPPORTED_GRANT_TYPE", ClassConfig, "this client may not use this grant type"),
	row("UNAUTHORIZED_CLIENT", ClassConfig, "this client may not use this grant type"),
	row("ACCESS_DENIED_BY_USER", ClassAuth, "consent was refused; authorise again"),
	later("ACCESS_DENIED", ClassRateLimited, time.Minute, "too many tokens were asked for (10 in 10 minutes per refresh token); wait, and share one token among workers"),
}

var accessCodes = []CodeInfo{
	row("INVALID_TOKEN", ClassAuth, "the access token is expired, revoked or of another data center; refresh once, then authorise again"),
	row("AUTHENTICATION_FAILURE", ClassAuth, "the Authorization header is missing or garbled"),
	row("OAUTH_SCOPE_MISMATCH", ClassAuth, "a scope is missing or the module is unknown; consent again with the scopes named by ScopesFor"),
	row("NO_PERMISSION", ClassPermission, "the connected user's profile lacks a right; see the details for its name"),
	row("AUTHORIZATION_FAILED", ClassPermission, "the connected user lacks the privilege"),
	row("NOT_ALLOWED", ClassPermission, "the operation is not allowed here"),
	row("NOT_SUPPORTED", ClassPermission, "the operation is not open to this user or module"),
}

var requestCodes = []CodeInfo{
	row("INVALID_URL_PATTERN", ClassConfig, "the path or version does not exist on this host; check the API host and version"),
	row("INVALID_REQUEST_METHOD", ClassInternal, "wrong HTTP method"),
	row("METHOD_NOT_ALLOWED", ClassInternal, "wrong HTTP method"),
	row("MEDIA_TYPE_NOT_SUPPORTED", ClassInternal, "Content-Type is missing or wrong"),
	row("REQUIRED_PARAM_MISSING", ClassInternal, "a query parameter is missing"),
	row("REQUIRED_HEADER_NOT_PRESENT", ClassInternal, "a header is missing"),
	row("MISSING_REQUIRED_KEY", ClassInternal, "a key is missing in the request body"),
	row("UNABLE_TO_PARSE_DATA_TYPE", ClassInternal, "the request body or a parameter cannot be parsed"),
	row("PATTERN_NOT_MATCHED", ClassInternal, "a parameter has a value outside its pattern"),
	row("AMBIGUITY_DURING_PROCESSING", ClassInternal, "parameters contradict each other"),
	row("COEXISTENCE_NOT_ALLOWED", ClassInternal, "mutually exclusive keys were sent together"),
	row("REQUIRED_DATA_NOT_FOUND", ClassInternal, "something required is missing in the request"),
	row("RESERVED_KEYWORD_NOT_ALLOWED", ClassRejected, "a name in the request is a reserved word"),
	row("NOT_FOUND", ClassNotFound, "what was asked for does not exist"),
	row("NO_CONTENT", ClassNotFound, "there is nothing to answer with"),
	row("NO_RECORDS_FOUND", ClassNotFound, "no record matches"),
	row("INVALID_REQUEST", ClassRejected, "the request is not understood"),
	row("BAD_REQUEST", ClassRejected, "the request is not understood; for uploads, check the organisation id (zgid)"),
	row("INVALID_QUERY_PARAMETER", ClassInternal, "a query parameter is wrong"),
	row("REQUEST_BODY_IS_EMPTY", ClassInternal, "the request body is empty"),
	row("REQUEST_BODY_NOT_READABLE", ClassInternal, "the request body is not readable"),
	row("REQUEST_BODY_NOT_SUPPORTED", ClassInternal, "the request body is not supported here"),
	row("EXPIRED_VALUE", ClassNotFound, "the page token has expired (24 hours); start paging again"),
	row("TOKEN_BOUND_DATA_MISMATCH", ClassInternal, "the page token belongs to another user or other parameters; start paging again"),
	row("DISCRETE_PAGINATION_LIMIT_EXCEEDED", ClassTooLarge, "only the first 2,000 records can be reached by page number; use the page token"),
	row("PAGINATION_LIMIT_EXCEEDED", ClassTooLarge, "no more records can be reached by paging; narrow the query or use bulk read"),
}

var schemaCodes = []CodeInfo{
	row("INVALID_MODULE", ClassSchemaChanged, "the module does not exist or is not supported by this call"),
	row("MODULE_NOT_AVAILABLE", ClassSchemaChanged, "the module does not exist or is not available"),
	row("MODULE_NOT_SUPPORTED", ClassSchemaChanged, "the module is not supported by this call"),
	row("API_NOT_SUPPORTED", ClassSchemaChanged, "the module is not supported by the API"),
	row("FEATURE_NOT_SUPPORTED", ClassConfig, "the feature is not supported in this organisation"),
	row("TERRITORY_NOT_ENABLED", ClassConfig, "territories are not enabled in this organisation"),
	row("STORAGE_SPACE_EXCEEDED", ClassConfig, "the storage of the organisation is full; make room or buy more"),
	row("FEATURE_NOT_ENABLED", ClassConfig, "the feature is not enabled in this organisation"),
	row("NOT_SUPPORTED_FEATURE", ClassConfig, "the feature is not supported in this organisation"),
	row("INVALID_FIELD", ClassSchemaChanged, "a mapped field does not exist"),
	row("INVALID_FIELD_NAME", ClassSchemaChanged, "a mapped field does not exist"),
	row("FIELD_NOT_AVAILABLE", ClassSchemaChanged, "a field named in the request does not exist or is not readable"),
	row("FIELD_NOT_SUPPORTED", ClassSchemaChanged, "a field named in the request is not supported by this call"),
	row("FIELD_IN_CRITERIA_NOT_AVAILABLE", ClassSchemaChanged, "a field in the criteria does not exist"),
	row("FIELD_IN_CRITERIA_NOT_SUPPORTED", ClassSchemaChanged, "a field in the criteria is not supported"),
	row("MANDATORY_FIELDS_NOT_MAPPED", ClassSchemaChanged, "map every mandatory field of the layout, including those mandatory only in the layout"),
}

var bulkCodes = []CodeInfo{
	row("INVALID_FILE_FORMAT", ClassRejected, "the upload is not a zip"),
	row("FILE_SIZE_MORE_THAN_ALLOWED_SIZE", ClassTooLarge, "the file is too large"),
	row("VIRUS_DETECTED", ClassRejected, "the upload looks infected to Zoho"),
	row("FILE_TOO_LARGE", ClassTooLarge, "the zip is over 25 MB; split it"),
	row("REQUEST_ENTITY_TOO_LARGE", ClassTooLarge, "the request is too large; split it"),
	row("INVALID_FILE_ID", ClassNotFound, "the uploaded file is unknown or gone; upload it again"),
	row("FILE_NOT_FOUND", ClassNotFound, "the uploaded file is unknown or gone; upload it again"),
	row("FILE_NOT_SUPPORTED", ClassRejected, "the zip must hold one CSV of at most 25,000 rows"),
	row("HEADER_LIMIT_EXCEEDED", ClassTooLarge, "more than 200 columns; map fewer"),
	row("COLUMN_INDEX_NOT_FOUND", ClassInternal, "a mapping names a column the CSV does not have"),
	row("INVALID_FORMAT", ClassInternal, "a mapping has a wrong date or number format"),
	row("INVALID_CALLBACK_URL", ClassConfig, "the callback URL is not accepted"),
	row("INVALID_CALLBACK_METHOD", ClassConfig, "only post is a callback method"),
	row("CALLBACK_FAILURE", ClassConfig, "the callback URL could not be called"),
	row("LIMIT_REACHED", ClassTooLarge, "a limit of the request is reached"),
	row("LIMIT_EXCEEDED", ClassTooLarge, "a limit of the request is exceeded; the details name it"),
	row("ALREADY_USED", ClassRejected, "the uploaded file was used by another job; upload it again"),
	later("ALREADY_SCHEDULED", ClassRateLimited, time.Minute, "another mass operation of this organisation is still running"),
	row("RESOURCE_NOT_FOUND", ClassNotFound, "the job, its file or the record is unknown or expired; create the job again"),
	row("JOB_NOT_SUPPORTED", ClassRejected, "this job is not supported"),
	row("INVALID_BULK_OPERATION", ClassInternal, "the bulk operation is unknown"),
	row("INVALID_SERVICE_NAME", ClassInternal, "the service name is unknown"),
	row("PAGE_RANGE_EXCEEDED", ClassTooLarge, "the page is beyond the last; see max_limit in the details"),
	row("PAGE_NOT_SUPPORTED", ClassInternal, "this query cannot be paged by number; use the page token"),
	row("QUERY_NOT_SUPPORTED", ClassRejected, "the query is not supported"),
	row("CVID_NOT_SUPPORTED", ClassRejected, "the custom view is not supported"),
}

var criteriaCodes = []CodeInfo{
	row("INVALID_CRITERIA", ClassRejected, "the criteria are not understood"),
	row("AMBIGUOUS_CRITERIA", ClassRejected, "the criteria are ambiguous"),
	row("AMBIGUOUS_GROUP_IN_CRITERIA", ClassRejected, "a criteria group is ambiguous"),
	row("GROUP_OPERATOR_NOT_SUPPORTED", ClassRejected, "a group operator must be and or or"),
	row("CRITERIA_NOT_SUPPORTED", ClassRejected, "criteria are not supported here"),
	row("CRITERIA_LIMIT_EXCEEDED", ClassTooLarge, "more than 25 criteria"),
	row("VALUE_LIMIT_EXCEEDED_IN_CRITERIA", ClassTooLarge, "more than 20 values in one criterion"),
	row("JOIN_LIMIT_EXCEEDED", ClassTooLarge, "too many lookups are followed"),
	row("FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED", ClassRejected, "the comparator is not supported"),
	row("FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE", ClassRejected, "the field's type does not have this comparator"),
	row("FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", ClassRejected, "the value does not suit the field"),
	row("COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", ClassRejected, "the value does not suit the comparator"),
	row("COMPARATOR_AND_ENCRYPTED_VALUE_IN_CRITERIA_NOT_COMPATIBLE", ClassRejected, "an encrypted field does not have this comparator"),
	row("VALUE_IN_CRITERIA_NOT_SUPPORTED", ClassRejected, "a value in the criteria is not supported"),
	row("VALUE_TYPE_NOT_SUPPORTED", ClassRejected, "a value in the criteria has the wrong type"),
	row("SYNTAX_ERROR", ClassRejected, "the COQL query cannot be parsed"),
	row("INVALID_QUERY", ClassRejected, "the COQL query is refused; see the details for column and reason"),
	row("INVALID_ALIAS", ClassRejected, "a COQL alias is not accepted"),
	row("DUPLICATE_ALIAS", ClassRejected, "a COQL alias is used twice"),
}

var recordCodes = []CodeInfo{
	row("INVALID_DATA", ClassRejected, "a value is not accepted, or the id does not exist"),
	row("MANDATORY_NOT_FOUND", ClassRejected, "a mandatory value or key is missing"),
	row("DUPLICATE_DATA", ClassRejected, "a unique field already has this value"),
	row("MULTIPLE_OR_MULTI_ERRORS", ClassRejected, "the record has several errors; see the details"),
	row("DEPENDENT_FIELD_MISSING", ClassRejected, "a field that another one needs is missing"),
	row("EXPECTED_FIELD_MISSING", ClassRejected, "one of several fields is needed"),
	row("DEPENDENT_MISMATCH", ClassRejected, "two fields do not agree"),
	later("DEPENDENT_SERVICE_ERROR", ClassTransient, 5*time.Second, "a service behind the CRM failed"),
	row("NOT_APPROVED", ClassRejected, "the record waits for approval; try in a later run"),
	row("BLOCKED_RECORD", ClassRejected, "the record is blocked; try in a later run"),
	row("CANNOT_PROCESS", ClassRejected, "the record cannot be processed"),
	row("CANNOT_DELETE", ClassRejected, "the record cannot be deleted"),
	row("CANNOT_UPDATE", ClassRejected, "it cannot be changed"),
	row("CANNOT_PERFORM_ACTION", ClassRejected, "the record does not allow the action"),
	row("CONVERTED_RECORD", ClassRejected, "the lead is converted already"),
	row("ID_ALREADY_CONVERTED", ClassRejected, "the lead is converted already"),
	row("DATA_MISMATCH", ClassRejected, "two values do not agree"),
	row("MAPPING_MISMATCH", ClassRejected, "two values of dependent fields do not agree"),
	row("RECORD_LOCKED", ClassRejected, "the record is locked; try in a later run"),
	row("RECORD_IN_BLUEPRINT", ClassRejected, "the record is in a blueprint; try in a later run"),
	row("ALREADY_MODIFIED", ClassRejected, "the record changed since it was read; read it again"),
}

var serverCodes = []CodeInfo{
	later("TOO_MANY_REQUESTS", ClassRateLimited, 2*time.Second, "credits, concurrency or the download rate are exceeded; slow down"),
	later("INTERNAL_ERROR", ClassTransient, 5*time.Second, "Zoho failed"),
	later("INTERNAL_SERVER_ERROR", ClassTransient, 5*time.Second, "Zoho failed"),
	later("BAD_GATEWAY", ClassTransient, 5*time.Second, "a gateway of Zoho failed"),
	later("SERVICE_UNAVAILABLE", ClassTransient, 5*time.Second, "Zoho is not available"),
}
