package template

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/osteele/liquid/parser"
)

// maxRange bounds a loop over numbers, such as (1..12).
const maxRange = 10_000

// scanned is what a template names.
type scanned struct {
	tokens  []parser.Token
	plain   []bool   // tokens that are text, whatever they look like
	columns []string // names that nothing in the template defines
	filters []place
	locals  map[string]bool // names that something in the template defines
}

// place is a name and the line it is on.
type place struct {
	name string
	line int
}

// scan finds the names in a template.
func scan(text string) (*scanned, error) {
	s := &scanned{tokens: parser.Scan(text, parser.SourceLoc{LineNo: 1}, nil), locals: map[string]bool{}}
	s.plain = make([]bool, len(s.tokens))
	asIs := "" // the tag that ends what is taken as it is
	for i, t := range s.tokens {
		var err error
		switch {
		case asIs != "" && (t.Type != parser.TagTokenType || t.Name != asIs):
			s.plain[i] = true
		case asIs != "":
			asIs = ""
		case t.Type == parser.TextTokenType:
			err = closed(t)
		case t.Type == parser.ObjTokenType:
			err = s.expression(t.Args, t.SourceLoc.LineNo)
		case t.Type == parser.TagTokenType && (t.Name == "raw" || t.Name == "comment"):
			asIs = "end" + t.Name
		case t.Type == parser.TagTokenType:
			err = s.tag(t)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// closed looks for braces in text, which nothing closes.
func closed(t parser.Token) error {
	for _, opening := range []string{"{{", "{%"} {
		if before, _, found := strings.Cut(t.Source, opening); found {
			return fmt.Errorf("line %d: a %s is not closed", t.SourceLoc.LineNo+strings.Count(before, "\n"), opening)
		}
	}
	return nil
}

// tag finds the names in a tag.
func (s *scanned) tag(t parser.Token) error {
	line := t.SourceLoc.LineNo
	switch t.Name {
	case "assign":
		name, value, _ := strings.Cut(t.Args, "=")
		if err := s.expression(value, line); err != nil {
			return err
		}
		s.locals[strings.TrimSpace(name)] = true
	case "capture":
		s.locals[strings.TrimSpace(t.Args)] = true
	case "for", "tablerow":
		name, values, _ := strings.Cut(strings.TrimSpace(t.Args), " ")
		s.locals[name], s.locals["forloop"] = true, true
		return s.expression(strings.TrimPrefix(strings.TrimSpace(values), "in "), line)
	default:
		return s.expression(t.Args, line)
	}
	return nil
}

// words are the parts of an expression: texts, numbers, names with an optional
// question mark, and single characters.
var words = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'|-?\d+(?:\.\d+)?|\.\.|[\p{L}_][\p{L}\p{N}\p{M}_-]*\??|\S`)

var (
	word     = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}\p{M}_-]*\??$`)
	literals = []string{"true", "false", "nil", "null", "and", "or", "contains", "in", "reversed"}
)

// expression finds the names in an expression.
func (s *scanned) expression(text string, line int) error {
	parts := words.FindAllString(text, -1)
	at := func(i int) string {
		if i < 0 || i >= len(parts) {
			return ""
		}
		return parts[i]
	}
	for i, part := range parts {
		switch {
		case part == "..":
			if err := checkRange(at(i-1), at(i+1), line); err != nil {
				return err
			}
		case !word.MatchString(part) || at(i-1) == ".":
		case at(i-1) == "|":
			s.filters = append(s.filters, place{part, line})
		case at(i+1) == ":" || slices.Contains(literals, part) || s.locals[part] || slices.Contains(s.columns, part):
		case part == textsName:
			return fmt.Errorf("line %d: the name %s is taken", line, textsName)
		default:
			s.columns = append(s.columns, part)
		}
	}
	return nil
}

// checkRange refuses a range that is not written out, or is too long.
func checkRange(from, to string, line int) error {
	var first, last int
	if _, err := fmt.Sscan(from, &first); err == nil {
		_, err = fmt.Sscan(to, &last)
		if err == nil && last-first < maxRange {
			return nil
		}
	}
	return fmt.Errorf("line %d: a range has two whole numbers, at most %d apart, such as (1..12)", line, maxRange)
}

var alone = regexp.MustCompile(`^\{\{-?\s*([\p{L}_][\p{L}\p{N}\p{M}_-]*\??)\s*-?\}\}$`)

// exact returns the template with columns that are written by themselves taken
// from the texts of the row.
func (s *scanned) exact() string {
	var b strings.Builder
	for i, t := range s.tokens {
		name := alone.FindStringSubmatch(t.Source)
		if t.Type != parser.ObjTokenType || s.plain[i] || name == nil || s.locals[name[1]] || !slices.Contains(s.columns, name[1]) {
			b.WriteString(t.Source)
			continue
		}
		b.WriteString(strings.Replace(t.Source, name[1], textsName+"."+name[1], 1))
	}
	return b.String()
}
