package egress

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// matcherSet fits a request when any of its members does.
type matcherSet []matcher

type matcher struct {
	methods []string
	host    string
	path    *regexp.Regexp
}

func compile(list []connector.Matcher) (matcherSet, error) {
	var set matcherSet
	for _, m := range list {
		c := matcher{methods: m.Methods, host: strings.ToLower(m.Host)}
		if m.PathPattern != "" {
			re, err := regexp.Compile(`^(?:` + m.PathPattern + `)$`)
			if err != nil {
				return nil, fmt.Errorf("path pattern %q: %w", m.PathPattern, err)
			}
			c.path = re
		}
		set = append(set, c)
	}
	return set, nil
}

func (s matcherSet) fits(r *http.Request) bool {
	return slices.ContainsFunc(s, func(m matcher) bool {
		return (len(m.methods) == 0 || slices.Contains(m.methods, r.Method)) &&
			(m.host == "" || m.host == strings.ToLower(r.URL.Hostname())) &&
			(m.path == nil || m.path.MatchString(r.URL.Path))
	})
}
