package cli

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// questions fills in answers: from defaults, and from a person where one sits.
type questions struct {
	app   *app
	lines *bufio.Reader
	// brief asks only what is required and has no default: who gives answers on
	// the command line knows the questions.
	brief bool
}

func (a *app) questions() *questions {
	return &questions{app: a, lines: bufio.NewReader(a.env.Stdin)}
}

// fill completes answers and secrets for a form. What is missing and cannot be
// asked for is an error that names every field.
func (q *questions) fill(form connector.Form, answers, secrets connector.Answers) error {
	var missing []string
	for _, field := range form.Fields {
		into, flag := answers, "--answer"
		if field.Secret {
			into, flag = secrets, "--secret"
			if _, wrong := answers[field.Name]; wrong {
				return usagef("%s is a secret: give it as --secret %s=@FILE or --secret %s=env:VARIABLE", field.Name, field.Name, field.Name)
			}
		}
		if _, given := into[field.Name]; given || field.Kind == connector.FieldInformation || !applies(field, answers) {
			continue
		}
		needed := field.Required && len(field.Default) == 0
		if q.app.env.StdinTerminal && (needed || !q.brief) {
			if err := q.ask(field, into); err != nil {
				return err
			}
			continue
		}
		if len(field.Default) > 0 {
			into[field.Name] = slices.Clone(field.Default)
		} else if field.Required {
			missing = append(missing, fmt.Sprintf("\n  %s %s=...  %s", flag, field.Name, question(field)))
		}
	}
	if missing != nil {
		return usagef("these answers are missing:%s", strings.Join(missing, ""))
	}
	return nil
}

// unknown refuses answers to questions nobody asks.
func unknown(form connector.Form, answers connector.Answers) error {
	var names []string
	for _, f := range form.Fields {
		if !f.Secret && f.Kind != connector.FieldInformation {
			names = append(names, f.Name)
		}
	}
	for name := range answers {
		if !slices.Contains(names, name) {
			return usagef("there is no question %q; the questions are %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// applies says whether a field's conditions hold.
func applies(field connector.Field, answers connector.Answers) bool {
	return !slices.ContainsFunc(field.DependsOn, func(c connector.Condition) bool {
		if len(c.Values) == 0 {
			return answers.Get(c.Field) == ""
		}
		return !slices.ContainsFunc(answers[c.Field], func(v string) bool { return slices.Contains(c.Values, v) })
	})
}

// question writes a field's label and help on one line.
func question(field connector.Field) string {
	text := field.Label
	if field.Help != "" {
		text += ". " + field.Help
	}
	if len(field.Options) > 0 {
		var values []string
		for _, o := range field.Options {
			values = append(values, o.Value)
		}
		text += " (one of " + strings.Join(values, ", ") + ")"
	}
	return text
}

// ask asks a person until the answer fits.
func (q *questions) ask(field connector.Field, into connector.Answers) error {
	for {
		fmt.Fprintf(q.app.env.Stderr, "%s\n", question(field))
		if len(field.Default) > 0 {
			fmt.Fprintf(q.app.env.Stderr, "%s [%s]: ", field.Name, strings.Join(field.Default, ","))
		} else {
			fmt.Fprintf(q.app.env.Stderr, "%s: ", field.Name)
		}
		answer, err := q.line(field.Secret)
		if err != nil {
			return err
		}
		switch {
		case answer != "" && field.Multiple:
			into[field.Name] = strings.Split(answer, ",")
		case answer != "":
			into[field.Name] = []string{answer}
		case len(field.Default) > 0:
			into[field.Name] = slices.Clone(field.Default)
		case field.Required:
			fmt.Fprintln(q.app.env.Stderr, "an answer is required")
			continue
		}
		return nil
	}
}

func (q *questions) line(hidden bool) (string, error) {
	if hidden && q.app.env.ReadSecret != nil {
		text, err := q.app.env.ReadSecret()
		return strings.TrimSpace(text), err
	}
	text, err := q.lines.ReadString('\n')
	if err == io.EOF && text == "" {
		return "", usagef("the input ended before all questions were answered")
	}
	if err == io.EOF {
		err = nil
	}
	return strings.TrimSpace(text), err
}
