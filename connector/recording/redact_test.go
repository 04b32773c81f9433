package recording

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

// The secrets of the tests. One has what every encoding changes.
const (
	hush  = "s3cr3t-Hush+/=&<x>"
	whisp = "whisper0123456789abcdef"
)

func knowing(secrets ...string) *Redactor {
	r := NewRedactor()
	for i, s := range secrets {
		r.Know(connector.Answers{fmt.Sprintf("secret_%d", i+1): {s}})
	}
	return r
}

// written is an exchange as it is written down.
func written(t *testing.T, r *Redactor, request *http.Request, sent string, header http.Header, received string) string {
	t.Helper()
	recorder := &Recorder{Redactor: r}
	path := filepath.Join(t.TempDir(), "log")
	var err error
	if recorder.file, err = os.Create(path); err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	if err := recorder.note(Exchange{Number: 1}, request, []byte(sent), &http.Response{StatusCode: 200, Header: header}, []byte(received)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func post(t *testing.T, target, contentType string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// A secret that nobody told of is recognised by where it stands.
func TestSecretsAreRecognised(t *testing.T) {
	t.Parallel()
	const form, jsonType, plain = "application/x-www-form-urlencoded", "application/json", "text/plain"
	basic := base64.StdEncoding.EncodeToString([]byte("me:" + whisp))
	token := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + whisp
	for name, c := range map[string]struct {
		request        *http.Request
		sent, received string
		header         http.Header
		keeps          string
	}{
		"a bearer token":        {request: post(t, "https://a.example/x", plain, "Authorization", "Bearer "+whisp), keeps: "Bearer REDACTED-"},
		"basic authentication":  {request: post(t, "https://a.example/x", plain, "Authorization", "Basic "+basic), keeps: "Basic REDACTED-"},
		"its password, later":   {request: post(t, "https://a.example/x", plain, "Authorization", "Basic "+basic), received: "they said " + whisp},
		"a key in a header":     {request: post(t, "https://a.example/x", plain, "X-Api-Key", whisp)},
		"a cookie":              {request: post(t, "https://a.example/x", plain, "Cookie", "sid="+whisp+"; theme=dark")},
		"a cookie that is set":  {request: post(t, "https://a.example/x", plain), header: http.Header{"Set-Cookie": {"sid=" + whisp + "; Path=/; HttpOnly"}}, keeps: "Path=/; HttpOnly"},
		"a query":               {request: post(t, "https://a.example/x?page=2&access_token="+whisp, plain), keeps: "page=2"},
		"a password in a URL":   {request: post(t, "https://me:"+whisp+"@a.example/x", plain)},
		"a form":                {request: post(t, "https://a.example/token", form), sent: "grant_type=refresh_token&refresh_token=" + whisp, keeps: "refresh_token"},
		"a grant code":          {request: post(t, "https://a.example/token", form), sent: "grant_type=authorization_code&code=" + whisp, keeps: "authorization_code"},
		"a grant code in JSON":  {request: post(t, "https://a.example/token", jsonType), sent: `{"grant_type":"authorization_code","code":"` + whisp + `"}`},
		"a client's secret":     {request: post(t, "https://a.example/token", form), sent: "client_id=me&client_secret=" + whisp, keeps: "me"},
		"a token in an answer":  {request: post(t, "https://a.example/x", plain), received: `{"access_token":"` + whisp + `","expires_in":3600}`, keeps: `"expires_in":3600`},
		"one deep within":       {request: post(t, "https://a.example/x", plain), received: `{"a":[{"b":{"refreshToken":["` + whisp + `"]}}]}`},
		"one in JSON in JSON":   {request: post(t, "https://a.example/x", plain), received: `{"payload":"{\"client_secret\":\"` + whisp + `\"}"}`},
		"a signed link":         {request: post(t, "https://a.example/x", plain), received: `{"url":"https://f.example/r.zip?X-Amz-Signature=` + whisp + `&n=1"}`, keeps: "n=1"},
		"lines of JSON":         {request: post(t, "https://a.example/x", plain), received: `{"a":1}` + "\n" + `{"api_key": "` + whisp + `"}`},
		"XML":                   {request: post(t, "https://a.example/x", plain), received: `<r><access_token>` + whisp + `</access_token></r>`, keeps: "</access_token>"},
		"a JWT in prose":        {request: post(t, "https://a.example/x", plain), received: "your pass is " + token + " now", keeps: "your pass is"},
		"a header in an answer": {request: post(t, "https://a.example/x", plain), received: "send Authorization: Bearer " + whisp},
		"a part of a form":      {request: post(t, "https://a.example/x", "multipart/form-data; boundary=b"), sent: "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + whisp + "\r\n--b--\r\n"},
		"a redirect":            {request: post(t, "https://a.example/x", plain), header: http.Header{"Location": {"https://a.example/y?token=" + whisp}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := written(t, NewRedactor(), c.request, c.sent, c.header, c.received)
			if strings.Contains(text, whisp) || strings.Contains(text, basic) || !strings.Contains(text, "REDACTED-") {
				t.Errorf("written down is %s", text)
			}
			if kept := strings.ReplaceAll(text, `\"`, `"`); !strings.Contains(kept, c.keeps) {
				t.Errorf("%q was not kept: %s", c.keeps, text)
			}
		})
	}
}

// What is no secret stays as it is, in every digit and in its order.
func TestTheRestIsKept(t *testing.T) {
	t.Parallel()
	const answer = `{"data":[{"code":"SUCCESS","details":{"id":"5700000000000100274","amount":12345678901234567890.10,"next_page_token":"p2","ok":true,"none":null}}],"info":{"count":1e3}}`
	header := http.Header{"X-Ratelimit-Token-Remaining": {"4711"}, "Retry-After": {"7"}, "Date": {"now"}}
	text := written(t, knowing(hush), post(t, "https://a.example/x?page=2&code=DE", "text/plain"), "Basic understanding of the matter", header, answer)
	for _, want := range []string{answer, "code=DE&page=2", "Basic understanding", "4711", `"Retry-After":["7"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q was not kept: %s", want, text)
		}
	}
	if strings.Contains(text, "Date") || strings.Contains(text, "REDACTED") {
		t.Errorf("written down is %s", text)
	}
}

// ways are all ways in which a secret is written in the tests.
func ways(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	all := map[string]string{
		"plain": secret, "in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret), "in JSON": string(quoted[1 : len(quoted)-1]),
		"in hex": hex.EncodeToString([]byte(secret)), "in HTML": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(secret),
	}
	for lead := range 4 {
		text := []byte("user:pass"[:5+lead] + secret + "tail")
		all[fmt.Sprintf("in base64, %d", lead)] = base64.StdEncoding.EncodeToString(text)
		all[fmt.Sprintf("in base64 for URLs, %d", lead)] = base64.RawURLEncoding.EncodeToString(text)
	}
	return all
}

func TestSecretsThatAreKnownAreFoundHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{hush, whisp} {
		for how, text := range ways(secret) {
			r := knowing(secret)
			clean := r.Text("before " + text + " after")
			if !strings.Contains(clean, "REDACTED-secret_1") || !strings.HasPrefix(clean, "before ") || !strings.HasSuffix(clean, " after") {
				t.Errorf("%s: %q", how, clean)
			}
			for again, form := range ways(secret) {
				if strings.Contains(clean, form) {
					t.Errorf("%s: %q still holds it %s", how, clean, again)
				}
			}
			// The search finds what the redactor replaces, and nothing once it has.
			folder := t.TempDir()
			for text, want := range map[string]int{"before " + text + " after": 1, clean: 0} {
				encoded, err := json.Marshal([]any{text, 1})
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, "f.json"), encoded, 0o600); err != nil {
					t.Fatal(err)
				}
				if found, err := Scan(folder, []string{"something else", secret}); err != nil || len(found) != want || want == 1 && found[0] != "f.json holds secret 2" {
					t.Errorf("%s: Scan of %q: %v, %v", how, text, found, err)
				}
			}
		}
	}
}

func TestShortSecretsAreFoundWhole(t *testing.T) {
	t.Parallel()
	r := knowing("1234", "2026-11-28T17:41:00Z")
	clean, ok := r.JSON([]byte(`{"pin":"1234","year":"12345","expires":"2026-11-28T17:41:00Z"}`))
	if want := `{"pin":"REDACTED-secret_1","year":"12345","expires":"2026-11-28T17:41:00Z"}`; !ok || string(clean) != want {
		t.Errorf("got %s, want %s", clean, want)
	}
}

// One secret has one name wherever it stands, two have two.
func TestNamesAreTheSameInRequestsAndAnswers(t *testing.T) {
	t.Parallel()
	r := NewRedactor()
	told := r.Know(connector.Answers{"refresh_token": {whisp}, "access_token_expires": {"2026-11-28T17:41:00Z"}, "client_secret": {hush}})
	want := connector.Answers{"refresh_token": {"REDACTED-refresh_token"}, "access_token_expires": {"2026-11-28T17:41:00Z"}, "client_secret": {"REDACTED-client_secret"}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	answer, _ := r.JSON([]byte(`{"access_token":"first-token-1"}`))
	again, _ := r.JSON([]byte(`{"access_token":"second-token-2"}`))
	if string(answer) != `{"access_token":"REDACTED-access_token"}` || string(again) != `{"access_token":"REDACTED-access_token-2"}` {
		t.Errorf("got %s and %s", answer, again)
	}
	header := r.Header(http.Header{"Authorization": {"Bearer second-token-2"}})
	if got := header.Get("Authorization"); got != "Bearer REDACTED-access_token-2" {
		t.Errorf("got %q", got)
	}
	form := r.Values(url.Values{"refresh_token": {whisp}, "client_secret": {"REDACTED-client_secret"}})
	if got := form.Encode(); got != "client_secret=REDACTED-client_secret&refresh_token=REDACTED-refresh_token" {
		t.Errorf("got %q", got)
	}
}

// FuzzJSON: a text of JSON that holds no secret means the same afterwards, and
// one that holds one does not hold it any more.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,-0.10e5,"x",null,true,{"b":{}}]}`, "key")
	f.Add(`{"token":{"token":["deep"]},"url":"https://a/?sig=1"}`, "token")
	f.Add(`"{\"access_token\":\"x\"}"`, `"`)
	f.Fuzz(func(t *testing.T, text, key string) {
		r := knowing(whisp)
		clean, ok := r.JSON([]byte(text))
		if ok != json.Valid([]byte(text)) {
			t.Fatalf("valid: %v, of %q", ok, text)
		}
		if ok && !json.Valid(clean) {
			t.Fatalf("%q became %q", text, clean)
		}
		if ok && !strings.Contains(string(clean), placeholder) && sorted(clean) != sorted([]byte(text)) {
			t.Fatalf("%q became %q", text, clean)
		}
		planted, err := json.Marshal(map[string]any{key: []string{text, "x" + whisp}, text: text + whisp})
		if err != nil {
			t.Fatal(err)
		}
		if clean, ok = r.JSON(planted); !ok || strings.Contains(string(clean), whisp) {
			t.Fatalf("%q became %q", planted, clean)
		}
	})
}
