package zoho

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/sluiceio/sluice/connector/recording"
	"github.com/sluiceio/sluice/connector/replay"
)

// recordings are made by an end-to-end test of the runner:
//
//	go test ./runner/e2e -run TestRecordings -update
const recordings = "testdata/recordings"

// TestRecordedSyncs replays what the connector said to host and app when it wrote
// to and read from a simulated organisation, waits, a refused token and records
// that were turned down among it.
func TestRecordedSyncs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"outbound", "inbound"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replay.Run(t, New(), filepath.Join(recordings, name))
		})
	}
}

// zohoToken is the form of Zoho's access and refresh tokens and grant codes.
var zohoToken = regexp.MustCompile(`1000\.[0-9a-fA-F]{32}\.[0-9a-fA-F]{32}`)

// The credentials of the recorded organisation.
var recordedSecrets = []string{
	"5ec7e7c11e27000000000000000000000000001234",
	"1000.5ec7e700000000000000000000000001.5ec7e700000000000000000000000002",
}

func TestRecordingsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"outbound", "inbound"} {
		folder := filepath.Join(recordings, name)
		found, err := recording.Scan(folder, recordedSecrets)
		if err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		for _, file := range []string{recording.ConversationFile, recording.ExchangesFile} {
			text, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			if zohoToken.Match(text) {
				t.Errorf("%s/%s holds a token", name, file)
			}
			// The search finds what is planted.
			planted := t.TempDir()
			for i, secret := range recordedSecrets {
				if err := os.WriteFile(filepath.Join(planted, file), append(text, secret...), 0o600); err != nil {
					t.Fatal(err)
				}
				if found, err := recording.Scan(planted, recordedSecrets); err != nil || len(found) != 1 {
					t.Errorf("planted secret %d in %s: %v, %v", i+1, file, found, err)
				}
			}
			if !zohoToken.Match(append(text, recordedSecrets[1]...)) {
				t.Error("a planted token is not seen")
			}
		}
	}
}
