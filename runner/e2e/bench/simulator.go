package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// simulator is a simulated Zoho CRM in a process of its own. It does jobs at
// once and sets no limits: what is measured is the road, not the waiting.
type simulator struct {
	cmd *exec.Cmd

	BaseURL      string `json:"base_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	GrantCode    string `json:"grant_code"`
	RefreshToken string `json:"refresh_token"`
}

// credits is what a day may cost, as bought in the simulator and as said to
// sluice: enough for any number of records. What the organisation would have
// pays for three million, and sluice heeds what the app says is left.
const credits = "1000000000"

// startSimulator waits until the simulator says where it listens.
func startSimulator(ctx context.Context, o options, dir string) (*simulator, error) {
	files := filepath.Join(dir, "sim")
	if err := os.Mkdir(files, 0o700); err != nil {
		return nil, err
	}
	s := &simulator{cmd: exec.CommandContext(ctx, filepath.Join(o.bin, "zohosim"), "--listen", "127.0.0.1:0", "--json", "--dir", files,
		"--job-duration", "0", "--no-credit-limit", "--no-download-limit", "--no-token-throttle", "--no-concurrency-limit",
		"--grant-lifetime", "1h", "--add-on-credits", credits)}
	s.cmd.Stderr = os.Stderr
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = 10 * time.Second
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(s); err != nil {
		s.stop()
		return nil, fmt.Errorf("zohosim did not say where it listens: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return s, nil
}

// stop ends the simulator and waits for it.
func (s *simulator) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended by itself
	_ = s.cmd.Wait()                       // how it ended says nothing about the runs
}
