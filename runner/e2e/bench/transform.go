package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// transforms are the stages within the connector. They are measured by
// benchmarks of package zoho, whose b.N is the number of rounds: what they
// measure is not exported, and need not be.
var transforms = []struct {
	benchmark string
	line      line
}{
	{"BenchmarkStageOut", line{Stage: "transform out: columns, CSV, zip", Limit: "deflate alone", Target: target{Least: 0.45}}},
	{"BenchmarkStageIn", line{Stage: "transform in: unzip, CSV, typed columns", Limit: "inflate alone", Target: target{Least: 0.55}}},
}

// measureTransforms runs the benchmarks with go test.
func measureTransforms(ctx context.Context, o options) ([]line, error) {
	var out []line
	for _, t := range transforms {
		l, err := benchmarkStage(ctx, o, t.benchmark, "", t.line)
		if err != nil {
			return nil, err
		}
		if !l.met() && o.profiles != "" {
			if err := os.MkdirAll(o.profiles, 0o755); err != nil {
				return nil, err
			}
			l.Profile = filepath.Join(o.profiles, t.benchmark+".pprof")
			if _, err := benchmarkStage(ctx, o, t.benchmark, l.Profile, t.line); err != nil {
				return nil, err
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// benchmarkStage runs one benchmark and fills the line in.
func benchmarkStage(ctx context.Context, o options, name, profile string, l line) (line, error) {
	args := []string{"test", "-run", "^$", "-bench", "^" + name + "$", "-benchtime", strconv.Itoa(2*o.rounds) + "x", "-count", "1"}
	if profile != "" {
		args = append(args, "-cpuprofile", profile, "-o", filepath.Join(filepath.Dir(profile), "zoho.test"))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/sluiceio/sluice/zoho")...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err != nil {
		return l, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, text, problems.Bytes())
	}
	m, err := metrics(string(text), name)
	if err != nil {
		return l, err
	}
	seconds := func(key string) time.Duration { return time.Duration(m[key] * float64(time.Second)) }
	l.Records, l.Bytes = int64(m["records"]), int64(m["bytes"])
	l.Ours = cost{Wall: seconds("seconds"), CPU: seconds("cpu-seconds")}
	l.Theirs = cost{Wall: seconds("limit-seconds"), CPU: seconds("limit-cpu-seconds")}
	l.Ratio, l.Low, l.High = m["ratio"], m["control-low"], m["control-high"]
	l.ByCPU = byCPU(l)
	l.Peaks = map[string]int64{"connector's part": int64(m["peak-bytes"])}
	return l, nil
}

// metrics reads the line of a benchmark: its name, the rounds, and pairs of a
// number and what it is.
func metrics(text, name string) (map[string]float64, error) {
	for row := range strings.Lines(text) {
		words := strings.Fields(row)
		if len(words) < 2 || !strings.HasPrefix(words[0], name) {
			continue
		}
		m := map[string]float64{}
		for i := 2; i+1 < len(words); i += 2 {
			n, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				return nil, fmt.Errorf("read what %s reports: %w", name, err)
			}
			m[words[i+1]] = n
		}
		return m, nil
	}
	return nil, fmt.Errorf("go test did not run %s:\n%s", name, text)
}

// topOf are the first lines of a profile.
func topOf(ctx context.Context, profile string) []string {
	if _, err := os.Stat(profile); err != nil {
		return nil
	}
	text, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount", "12", profile).Output()
	if err != nil {
		return []string{"the profile could not be read: " + err.Error()}
	}
	var top []string
	begun := false
	for row := range strings.Lines(string(text)) {
		begun = begun || strings.Contains(row, "flat%")
		if begun {
			top = append(top, strings.TrimRight(row, "\n"))
		}
	}
	return top
}
