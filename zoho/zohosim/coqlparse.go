package zohosim

import (
	"fmt"
	"strconv"
	"strings"
)

// coqlQuery is a parsed select statement, fields not yet resolved.
type coqlQuery struct {
	fields []string
	count  bool // select COUNT(id)
	module string
	where  *coqlNode
	order  []coqlOrder
	limit  int
	offset int
}

type coqlOrder struct {
	field string
	desc  bool
}

// coqlNode is a condition: and, or with members, or a comparison.
type coqlNode struct {
	op         string
	members    []*coqlNode
	field      string
	comparator string
	values     []string
	null       bool // the value is null
}

// coqlError says where the statement stopped making sense.
type coqlError struct{ near string }

func (e *coqlError) Error() string { return "syntax error near " + strconv.Quote(e.near) }

type coqlToken struct {
	text   string
	quoted bool
}

// coqlTokens splits a statement into words, numbers, quoted strings (a doubled quote or a backslash escapes) and symbols.
func coqlTokens(s string) ([]coqlToken, error) {
	var out []coqlToken
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'':
			text, n := quoted(s[i:])
			if n == 0 {
				return nil, &coqlError{s[i:]}
			}
			out = append(out, coqlToken{text, true})
			i += n
		case strings.IndexByte("(),", c) >= 0:
			out = append(out, coqlToken{text: s[i : i+1]})
			i++
		case strings.IndexByte("=<>!", c) >= 0:
			n := 1
			if i+1 < len(s) && strings.IndexByte("=>", s[i+1]) >= 0 {
				n = 2
			}
			out = append(out, coqlToken{text: s[i : i+n]})
			i += n
		default:
			n := strings.IndexAny(s[i:], " \t\r\n'(),=<>!")
			if n < 0 {
				n = len(s) - i
			}
			out = append(out, coqlToken{text: s[i : i+n]})
			i += n
		}
	}
	return out, nil
}

func quoted(s string) (text string, n int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
			b.WriteByte('\'')
		case s[i] == '\'':
			return b.String(), i + 1
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0
}

type coqlParser struct {
	tokens []coqlToken
	depth  int
}

func (p *coqlParser) peek() string {
	if len(p.tokens) == 0 || p.tokens[0].quoted {
		return ""
	}
	return strings.ToLower(p.tokens[0].text)
}

func (p *coqlParser) next() (coqlToken, error) {
	if len(p.tokens) == 0 {
		return coqlToken{}, &coqlError{"end of statement"}
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t, nil
}

func (p *coqlParser) accept(word string) bool {
	if p.peek() != word {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *coqlParser) expect(word string) error {
	if p.accept(word) {
		return nil
	}
	return p.fail()
}

func (p *coqlParser) fail() error {
	if len(p.tokens) == 0 {
		return &coqlError{"end of statement"}
	}
	return &coqlError{p.tokens[0].text}
}

func (p *coqlParser) name() (string, error) {
	t, err := p.next()
	if err == nil && (t.quoted || strings.ContainsAny(t.text, "(),=<>!")) {
		err = &coqlError{t.text}
	}
	return t.text, err
}

// parseCOQL parses: select f, f | COUNT(id) from M where ... [order by f [asc|desc], ...] [limit n | limit o, n]
// [offset o].
func parseCOQL(s string) (*coqlQuery, error) {
	tokens, err := coqlTokens(s)
	if err != nil {
		return nil, err
	}
	p := &coqlParser{tokens: tokens}
	q := &coqlQuery{limit: 200}
	if err = p.expect("select"); err == nil {
		err = p.fields(q)
	}
	if err == nil {
		err = p.expect("from")
	}
	if err == nil {
		q.module, err = p.name()
	}
	if err == nil {
		err = p.expect("where")
	}
	if err == nil {
		q.where, err = p.or()
	}
	if err == nil {
		err = p.tail(q)
	}
	if err == nil && len(p.tokens) > 0 {
		err = p.fail()
	}
	return q, err
}

func (p *coqlParser) fields(q *coqlQuery) error {
	for {
		f, err := p.name()
		if err != nil {
			return err
		}
		if strings.EqualFold(f, "count") && p.accept("(") {
			if _, err = p.name(); err == nil {
				err = p.expect(")")
			}
			if err != nil {
				return err
			}
			q.count = true
		} else {
			q.fields = append(q.fields, f)
		}
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *coqlParser) or() (*coqlNode, error) { return p.chain("or", p.and) }

func (p *coqlParser) and() (*coqlNode, error) { return p.chain("and", p.primary) }

func (p *coqlParser) chain(word string, inner func() (*coqlNode, error)) (*coqlNode, error) {
	first, err := inner()
	if err != nil || p.peek() != word {
		return first, err
	}
	n := &coqlNode{op: word, members: []*coqlNode{first}}
	for p.accept(word) {
		m, err := inner()
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, m)
	}
	return n, nil
}

// maxDepth bounds parentheses; Zoho allows 25 criteria in all.
const maxDepth = 50

func (p *coqlParser) primary() (*coqlNode, error) {
	if p.accept("(") {
		if p.depth++; p.depth > maxDepth {
			return nil, &coqlError{"("}
		}
		n, err := p.or()
		if err == nil {
			err = p.expect(")")
		}
		p.depth--
		return n, err
	}
	f, err := p.name()
	if err != nil {
		return nil, err
	}
	n := &coqlNode{field: f}
	return n, p.comparison(n)
}

var coqlComparators = map[string]string{"=": "equal", "!=": "not_equal", "<>": "not_equal", "<": "less_than", "<=": "less_equal", ">": "greater_than", ">=": "greater_equal"}

func (p *coqlParser) comparison(n *coqlNode) error {
	op := p.peek()
	if c := coqlComparators[op]; c != "" {
		p.tokens = p.tokens[1:]
		n.comparator = c
		return p.value(n)
	}
	if p.accept("is") {
		n.comparator, n.null = "equal", true
		if p.accept("not") {
			n.comparator = "not_equal"
		}
		return p.expect("null")
	}
	not := ""
	if p.accept("not") {
		not = "not_"
	}
	switch {
	case p.accept("in"):
		n.comparator = not + "in"
		return p.list(n)
	case p.accept("like"):
		n.comparator = not + "like"
		return p.value(n)
	case p.accept("between"):
		n.comparator = not + "between"
		if err := p.value(n); err != nil {
			return err
		}
		if err := p.expect("and"); err != nil {
			return err
		}
		return p.value(n)
	}
	return p.fail()
}

func (p *coqlParser) value(n *coqlNode) error {
	t, err := p.next()
	if err == nil && !t.quoted && strings.ContainsAny(t.text, "(),=<>!") {
		err = &coqlError{t.text}
	}
	n.values = append(n.values, t.text)
	return err
}

func (p *coqlParser) list(n *coqlNode) error {
	if err := p.expect("("); err != nil {
		return err
	}
	for {
		if err := p.value(n); err != nil {
			return err
		}
		if !p.accept(",") {
			return p.expect(")")
		}
	}
}

func (p *coqlParser) tail(q *coqlQuery) error {
	if p.accept("order") {
		if err := p.orderBy(q); err != nil {
			return err
		}
	}
	if p.accept("limit") {
		n, err := p.number()
		if err != nil {
			return err
		}
		q.limit = n
		if p.accept(",") {
			q.offset = n
			if q.limit, err = p.number(); err != nil {
				return err
			}
		}
	}
	if p.accept("offset") {
		n, err := p.number()
		q.offset = n
		return err
	}
	return nil
}

func (p *coqlParser) orderBy(q *coqlQuery) error {
	if err := p.expect("by"); err != nil {
		return err
	}
	for {
		f, err := p.name()
		if err != nil {
			return err
		}
		o := coqlOrder{field: f, desc: p.accept("desc")}
		if !o.desc {
			p.accept("asc")
		}
		q.order = append(q.order, o)
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *coqlParser) number() (int, error) {
	t, err := p.next()
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(t.text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w", &coqlError{t.text})
	}
	return n, nil
}
