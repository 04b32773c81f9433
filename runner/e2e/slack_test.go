package e2e

import (
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluiceio/sluice/connector/examples/slack/slackfake"
)

// slackAnswers is what the connector's own folder has for an examination.
const slackAnswers = "../../connector/examples/slack/verify.yaml"

func slackOf(ts *testscript.TestScript) *slackfake.Fake {
	fake := ts.Value(stageKey{}).(*stage).slack
	if fake == nil {
		ts.Fatalf("there is no workspace: begin with the command slack")
	}
	return fake
}

// slackCmd starts a workspace, and writes slack.yaml, what the connector is
// examined with; "slack break METHOD CODE" orders a fault in it.
func slackCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) > 0 {
		fault := slackfake.Fault{Method: args[1], Code: args[2]}
		switch args[2] {
		case "hangup":
			fault = slackfake.Fault{Method: args[1], Late: true, Hangup: true}
		case "stall":
			fault = slackfake.Fault{Method: args[1], Late: true, Stall: true}
		}
		slackOf(ts).Break(fault)
		return
	}
	fake := slackfake.New(slackfake.Config{})
	server := httptest.NewServer(fake)
	ts.Defer(server.Close)
	ts.Value(stageKey{}).(*stage).slack = fake
	ts.Setenv("SLACK_URL", server.URL+"/api")
	ts.Setenv("SLACK_TOKEN", fake.Token())
	ts.Setenv("SLACK_BOT_TOKEN", fake.Token())
	ts.Setenv("SLACK_REVOKED_TOKEN", "xoxb-revoked")
	answers, err := os.ReadFile(slackAnswers)
	ts.Check(err)
	if !strings.Contains(string(answers), "http://127.0.0.1:7788/api") {
		ts.Fatalf("%s names another endpoint", slackAnswers)
	}
	ts.Check(os.WriteFile(ts.MkAbs("slack.yaml"), []byte(strings.Replace(string(answers), "http://127.0.0.1:7788/api", ts.Getenv("SLACK_URL"), 1)), 0o600))
}

// calledCmd waits until a method was called so many times.
func calledCmd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	until(ts, strings.Join(args, " "), func() bool { return slackOf(ts).Calls(args[0]) >= n })
}

// postedCmd checks the messages that were posted: their number, and that one of
// them matches an expression.
func postedCmd(ts *testscript.TestScript, _ bool, args []string) {
	messages := slackOf(ts).Messages()
	if n, err := strconv.Atoi(args[0]); err != nil || n != len(messages) {
		ts.Fatalf("%d messages were posted, want %s: %q", len(messages), args[0], messages)
	}
	for _, want := range args[1:] {
		found := false
		for _, m := range messages {
			found = found || regexp.MustCompile(want).MatchString(m.Channel+": "+m.Text)
		}
		if !found {
			ts.Fatalf("no message matches %s: %q", want, messages)
		}
	}
}
