package pluginhost

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Platform names the system and the kind of machine, such as "linux/amd64".
func Platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// Source is where a connector's program comes from: a file or a URL. {os} and
// {arch} in it stand for this platform's, as Go names them.
type Source struct {
	// Text is the source as it was written.
	Text string
	// url is nil for a file.
	url  *url.URL
	path string
}

// ParseSource reads a source; relative paths start from folder. URLs are https,
// or http on this machine. User names, queries and fragments are refused: a source
// is kept in a lock file, where a secret has no place.
func ParseSource(text, folder string) (Source, error) {
	place := strings.NewReplacer("{os}", runtime.GOOS, "{arch}", runtime.GOARCH).Replace(text)
	if !strings.Contains(place, "://") {
		if place == "" {
			return Source{}, fmt.Errorf("name the file or the URL of a connector's program")
		}
		if !filepath.IsAbs(place) {
			place = filepath.Join(folder, place)
		}
		return Source{Text: text, path: place}, nil
	}
	u, err := url.Parse(place)
	if err != nil {
		return Source{}, fmt.Errorf("the URL of the connector cannot be read; check its spelling")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Source{}, fmt.Errorf("the URL %s has a user name, a query or a fragment, which may be a secret and would be kept in the lock file; download the program yourself and install the file", plainURL(u))
	}
	if err := allowedURL(u); err != nil {
		return Source{}, err
	}
	return Source{Text: text, url: u}, nil
}

// plainURL is a URL without what may be secret.
func plainURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// allowedURL refuses to download in the clear, except from this machine.
func allowedURL(u *url.URL) error {
	switch {
	case u.Hostname() == "":
		return fmt.Errorf("the URL %s names no host", plainURL(u))
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%s is not downloaded in the clear: use https", plainURL(u))
	}
	return fmt.Errorf("%s is neither https nor a file", plainURL(u))
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Local is the path of a file, "" for a URL.
func (s Source) Local() string { return s.path }

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// name is what the program is called where it is installed.
func (s Source) name() string {
	name := filepath.Base(s.path)
	if s.url != nil {
		name = path.Base(s.url.Path)
	}
	if !fileName.MatchString(name) {
		return "connector"
	}
	return name
}

// String names the source.
func (s Source) String() string {
	if s.url != nil {
		return plainURL(s.url)
	}
	return s.path
}
