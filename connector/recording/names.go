package recording

import (
	"regexp"
	"strings"
)

// secretNames are the names, in lower case and without separators, of fields,
// parameters and keys whose values are secrets whatever app they belong to.
var secretNames = setOf(
	"token", "accesstoken", "refreshtoken", "idtoken", "authtoken", "sessiontoken", "securitytoken", "bearertoken", "apitoken", "oauthtoken", "csrftoken",
	"clientsecret", "clientassertion", "assertion", "secret", "secretkey", "sharedsecret", "consumersecret", "apisecret", "apikey", "accesskey",
	"accesskeyid", "awsaccesskeyid", "secretaccesskey", "privatekey", "password", "passwd", "passphrase", "pwd", "otp", "jwt",
	"signature", "sig", "xamzsignature", "xamzcredential", "xamzsecuritytoken", "xgoogsignature", "xgoogcredential",
	"authorization", "cookie", "sessionid", "sid", "jsessionid", "devicecode", "codeverifier", "granttoken", "grantcode", "authorizationcode", "authcode",
)

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// isSecret reports whether a field of this name holds a secret.
func isSecret(name string) bool {
	return secretNames[separators.Replace(strings.ToLower(name))]
}

// isGrant reports whether a set of parameters is one of OAuth (RFC 6749), where
// "code" is a secret; anywhere else it is a word of the app's.
func isGrant(has func(string) bool) bool {
	return has("grant_type") || has("client_id") || has("state")
}

// secretHeader matches the names of headers that carry secrets. A number in one,
// such as what is left of a limit, is none.
var (
	secretHeader = regexp.MustCompile(`(?i)auth|token|secret|cookie|api-?key|session|signature|credential|csrf|xsrf`)
	number       = regexp.MustCompile(`^[0-9]{0,10}$`)
)

// Secrets that show by their form, wherever they stand in a text.
var (
	credential = regexp.MustCompile(`(?i)\b(?:bearer|basic|token|oauth|[a-z]+-oauthtoken)\s+([A-Za-z0-9._~+/-]{12,}=*)`)
	jwt        = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)
	link       = regexp.MustCompile(`https?://[^\s"'<>\\]+`)
	assignment = regexp.MustCompile(`(?i)\b((?:access|refresh|id|session|auth|csrf)[_-]?token|client[_-]?secret|api[_-]?key|password|passwd|private[_-]?key|code[_-]?verifier)\b["']?\s*[:=>]\s*["']?([^\s"'&<>,;}\]]{6,})`)
)

// dropped headers say nothing about the app, and differ from one recording to the
// next.
var dropped = setOf(
	"Accept-Encoding", "Connection", "Content-Length", "Date", "Keep-Alive", "Server", "Transfer-Encoding", "User-Agent", "Vary", "Via",
)
