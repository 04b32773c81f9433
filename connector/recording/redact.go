package recording

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// Redactor replaces secrets by names, the same secret by the same name wherever
// and however it is written, in requests and answers alike: so a token that an
// answer gave is the one that a later request sends. It knows the secrets it is
// told of, learns those that show by the name of their field or by their form,
// and is safe for concurrent use.
type Redactor struct {
	largest int64 // bounds a body, and what is unpacked from one

	mu     sync.Mutex
	names  map[string]string // by secret
	counts map[string]int    // of names, by their beginning
	known  *strings.Replacer
}

// NewRedactor returns a redactor that knows no secret yet.
func NewRedactor() *Redactor {
	return &Redactor{largest: 32 << 20, names: map[string]string{}, counts: map[string]int{}}
}

// placeholder begins every name.
const placeholder = "REDACTED-"

// Know tells the redactor of the secrets of a connection and returns what stands
// for them: a name for each value, the value itself where that is no secret, such
// as the moment at which a token expires.
func (r *Redactor) Know(secrets connector.Answers) connector.Answers {
	told := connector.Answers{}
	for _, field := range slices.Sorted(maps.Keys(secrets)) {
		for _, value := range secrets[field] {
			if !harmless(value) {
				value = r.learn(field, value)
			}
			told[field] = append(told[field], value)
		}
	}
	return told
}

// learn notes a secret and returns its name.
func (r *Redactor) learn(field, secret string) string {
	if harmless(secret) || strings.HasPrefix(secret, placeholder) {
		return secret
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if name := r.names[secret]; name != "" {
		return name
	}
	name := placeholder + separate(field)
	if r.counts[name]++; r.counts[name] > 1 {
		name = fmt.Sprintf("%s-%d", name, r.counts[name])
	}
	r.names[secret], r.known = name, nil
	return name
}

// separate makes a field's name one that no encoding changes.
func separate(field string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' {
			return c
		}
		return '_'
	}, strings.ToLower(field))
}

// Secrets lists the secrets known so far.
func (r *Redactor) Secrets() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for secret := range r.names {
		all = append(all, secret)
	}
	return all
}

// replacer replaces all secrets known, in all encodings, longer ones first.
func (r *Redactor) replacer() (all *strings.Replacer, whole map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		type pair struct{ text, name string }
		var pairs []pair
		for secret, name := range r.names {
			if len(secret) < shortest {
				continue
			}
			for _, text := range encodings(secret) {
				pairs = append(pairs, pair{text, name})
			}
		}
		slices.SortFunc(pairs, func(a, b pair) int { return cmp.Or(len(b.text)-len(a.text), strings.Compare(a.text, b.text)) })
		var list []string
		for _, p := range pairs {
			list = append(list, p.text, p.name)
		}
		r.known = strings.NewReplacer(list...)
	}
	return r.known, r.names
}

// exact replaces what is known.
func (r *Redactor) exact(text string) string {
	known, _ := r.replacer()
	return known.Replace(text)
}

// Text replaces the secrets in a text.
func (r *Redactor) Text(text string) string {
	r.mu.Lock()
	name := r.names[text]
	r.mu.Unlock()
	if name != "" { // a short one is known as a whole only
		return name
	}
	r.learnFrom(text)
	return r.exact(link.ReplaceAllStringFunc(text, r.link))
}

// learnFrom learns the secrets that show in a text by their form.
func (r *Redactor) learnFrom(text string) {
	for _, m := range link.FindAllString(text, -1) {
		r.link(m)
	}
	for _, m := range credential.FindAllStringSubmatch(text, -1) {
		if strings.ContainsAny(m[1], "0123456789") { // else it is prose
			r.learn("authorization", m[1])
		}
	}
	for _, m := range jwt.FindAllString(text, -1) {
		r.learn("token", m)
	}
	for _, m := range assignment.FindAllStringSubmatch(text, -1) {
		r.learn(m[1], m[2])
	}
}

// link replaces the secrets in a URL within a text.
func (r *Redactor) link(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.RawQuery == "" && u.User == nil {
		return text
	}
	return r.named(u)
}

// URL replaces the secrets in a URL: in its query by name, anywhere else by value.
func (r *Redactor) URL(u *url.URL) string {
	return r.exact(r.named(u))
}

// named replaces the secrets in a URL that show by their name.
func (r *Redactor) named(u *url.URL) string {
	clean := *u
	if u.User != nil {
		if password, ok := u.User.Password(); ok {
			clean.User = url.UserPassword(u.User.Username(), r.learn("password", password))
		}
	}
	if u.RawQuery != "" {
		if query, err := url.ParseQuery(u.RawQuery); err == nil {
			clean.RawQuery = r.namedValues(query).Encode()
		}
	}
	return clean.String()
}

// Values replaces the secrets among the parameters of a query or a form.
func (r *Redactor) Values(values url.Values) url.Values {
	clean := r.namedValues(values)
	for _, list := range clean {
		for i, value := range list {
			list[i] = r.Text(value)
		}
	}
	return clean
}

func (r *Redactor) namedValues(values url.Values) url.Values {
	clean, grant := url.Values{}, isGrant(values.Has)
	for name, list := range values {
		for _, value := range list {
			if isSecret(name) || grant && strings.EqualFold(name, "code") {
				value = r.learn(name, value)
			}
			clean.Add(name, value)
		}
	}
	return clean
}

// Header replaces the secrets in headers, and leaves out those that say nothing.
func (r *Redactor) Header(header http.Header) http.Header {
	clean := http.Header{}
	for name, list := range header {
		name = http.CanonicalHeaderKey(name)
		if dropped[name] {
			continue
		}
		for _, value := range list {
			clean.Add(name, r.headerValue(name, value))
		}
	}
	return clean
}

func (r *Redactor) headerValue(name, value string) string {
	switch {
	case strings.HasSuffix(name, "Authorization"):
		scheme, rest, ok := strings.Cut(value, " ")
		if !ok {
			return r.learn("authorization", value)
		}
		r.learnBasic(scheme, rest)
		return scheme + " " + r.learn("authorization", rest)
	case name == "Set-Cookie" || name == "Cookie":
		return r.cookies(value)
	case secretHeader.MatchString(name) && !number.MatchString(value) && name != "Www-Authenticate":
		return r.learn(name, value)
	}
	return r.Text(value)
}

// learnBasic learns the password in the header of basic authentication.
func (r *Redactor) learnBasic(scheme, rest string) {
	if !strings.EqualFold(scheme, "Basic") {
		return
	}
	if text, err := base64.StdEncoding.DecodeString(rest); err == nil {
		if _, password, ok := strings.Cut(string(text), ":"); ok {
			r.learn("password", password)
		}
	}
}

// cookieAttributes are the parts of a Set-Cookie header that are no cookies.
var cookieAttributes = setOf("path", "domain", "expires", "maxage", "samesite")

func (r *Redactor) cookies(header string) string {
	var clean []string
	for part := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok && !cookieAttributes[separators.Replace(strings.ToLower(name))] {
			value = r.learn("cookie", value)
		}
		if ok {
			name += "=" + value
		}
		clean = append(clean, name)
	}
	return r.exact(strings.Join(clean, "; "))
}

// JSON replaces the secrets in a JSON text and keeps the rest: the order of keys,
// and every digit. It reports false for a text that is no JSON.
func (r *Redactor) JSON(text []byte) (json.RawMessage, bool) {
	if !json.Valid(text) {
		return nil, false
	}
	// What is learnt at the end is replaced at the beginning too.
	_, ok := r.walk(text, true, 0)
	if !ok {
		return nil, false
	}
	return r.walk(text, false, 0)
}

// deepest is how deep JSON is looked for within texts of JSON.
const deepest = 3

// walk goes through a valid JSON text: to learn, or to replace what is known.
func (r *Redactor) walk(text []byte, learning bool, depth int) (json.RawMessage, bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	j := &jsonRedactor{redactor: r, in: decoder, learning: learning, depth: depth, grant: bytes.Contains(text, []byte(`"grant_type"`))}
	err := j.value("")
	return j.out.Bytes(), err == nil
}

// jsonRedactor copies one JSON text.
type jsonRedactor struct {
	redactor *Redactor
	in       *json.Decoder
	out      bytes.Buffer
	grant    bool
	learning bool // nothing is replaced yet
	depth    int  // of texts within texts
}

// value copies a value that is found under a name.
func (j *jsonRedactor) value(name string) error {
	token, err := j.in.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		return j.nested(t, name)
	case string:
		if isSecret(name) || j.grant && name == "code" {
			t = j.redactor.learn(name, t)
		}
		return j.text(j.inner(t))
	case json.Number:
		j.out.WriteString(t.String())
	default: // true, false, null
		text, err := json.Marshal(t)
		j.out.Write(text)
		return err
	}
	return nil
}

// inner goes through a text that may be JSON itself.
func (j *jsonRedactor) inner(text string) string {
	trimmed := strings.TrimSpace(text)
	if len(trimmed) > 1 && (trimmed[0] == '{' || trimmed[0] == '[') && j.depth < deepest && json.Valid([]byte(text)) {
		clean, ok := j.redactor.walk([]byte(text), j.learning, j.depth+1)
		if ok && bytes.Contains(clean, []byte(placeholder)) {
			return string(clean)
		}
	}
	if j.learning {
		j.redactor.learnFrom(text)
		return text
	}
	return j.redactor.Text(text)
}

func (j *jsonRedactor) nested(open json.Delim, name string) error {
	j.out.WriteByte(byte(open))
	for n := 0; j.in.More(); n++ {
		if n > 0 {
			j.out.WriteByte(',')
		}
		if open == '{' {
			first, err := j.in.Token()
			if err != nil {
				return err
			}
			name = first.(string) // the decoder gives nothing else here
			key := name
			if !j.learning {
				key = j.redactor.exact(name)
			}
			if err := j.text(key); err != nil {
				return err
			}
			j.out.WriteByte(':')
		}
		if err := j.value(name); err != nil {
			return err
		}
	}
	end, err := j.in.Token()
	if err != nil {
		return err
	}
	j.out.WriteString(end.(json.Delim).String())
	return nil
}

func (j *jsonRedactor) text(text string) error {
	encoded, err := marshal(text)
	j.out.Write(encoded)
	return err
}

// marshal writes JSON without escaping what HTML would mind.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
