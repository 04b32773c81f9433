package zohosim

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// POST /crm/{v}/upload (on the upload host with Zoho, here on the one host)
//
// Documented: headers feature: bulk-write and X-CRM-ORG: {zgid}; one multipart part holding a zip of at most 25 MB;
// the part's name is not checked. The CSV inside is looked at when a job is created. Gap: uploads never expire.

// maxUpload is Zoho's limit for a zip.
const maxUpload = 25 << 20

// upload is a stored file.
type upload struct {
	id   string
	path string
	name string // file name without directories
	used bool   // a job was created on it
}

type fileBook struct {
	mu   sync.Mutex
	byID map[string]*upload
}

func (b *fileBook) get(id string) *upload {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byID[id]
}

// use marks a file used and tells whether it was before.
func (b *fileBook) use(u *upload) (before bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, u.used = u.used, true
	return before
}

// gatewayError is the second error shape: the file gateway's, for missing headers.
type gatewayError struct {
	Message string `json:"ERROR_MESSAGE"`
	Code    int    `json:"ERROR_CODE"`
	XError  string `json:"x-error"`
}

type uploadDetails struct {
	FileID  string `json:"file_id"`
	Created string `json:"created_time"`
}

func uploadFile(c *call) reply {
	if h := c.conf.Variants.UploadHost; h != "" && !strings.EqualFold(h, c.hostName()) {
		return errURL().reply()
	}
	if c.r.Header.Get("feature") != "bulk-write" || c.r.Header.Get("X-CRM-ORG") != c.sim.org.zgid {
		return reply{status: http.StatusBadRequest, code: "GATEWAY", body: gatewayError{"Bad Request", 400, "check if headers [feature, X-CRM-ORG] are present and valid"}}
	}
	mr, err := c.r.MultipartReader()
	if err != nil {
		return bad("INVALID_REQUEST", "the request is not multipart/form-data").reply()
	}
	for {
		part, err := mr.NextPart()
		if err != nil {
			return bad("INVALID_REQUEST", "no file part found").reply()
		}
		if part.FileName() != "" || part.FormName() == "file" {
			return c.storeUpload(part)
		}
	}
}

func (c *call) storeUpload(part *multipart.Part) reply {
	id := c.sim.store.freshID()
	path := filepath.Join(c.sim.dir, "upload-"+id+".zip")
	n, head, err := writeUpload(path, part)
	switch {
	case errors.Is(err, errTooLarge):
		return fail(http.StatusRequestEntityTooLarge, "FILE_TOO_LARGE", "File size too large to process").reply()
	case err != nil:
		return bad("INVALID_REQUEST", "the file could not be read").reply()
	case n < 22 || string(head[:2]) != "PK":
		_ = os.Remove(path) // Close removes the directory anyway
		return bad("INVALID_FILE_FORMAT", "invalid file format. only zip format is supported").reply()
	}
	c.sim.files.mu.Lock()
	c.sim.files.byID[id] = &upload{id: id, path: path, name: filepath.Base(part.FileName())}
	c.sim.files.mu.Unlock()
	c.sim.log.count(func(n *Counters) { n.Uploads++ })
	return ok(struct {
		Status  string        `json:"status"`
		Code    string        `json:"code"`
		Message string        `json:"message"`
		Details uploadDetails `json:"details"`
	}{"success", "FILE_UPLOAD_SUCCESS", "file uploaded.", uploadDetails{id, c.stamp(c.now.Unix())}})
}

var errTooLarge = errors.New("over 25 MB")

func writeUpload(path string, r io.Reader) (n int64, head [2]byte, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, head, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(path) // the first error is the one to report
		}
	}()
	n, err = io.Copy(f, io.LimitReader(r, maxUpload+1))
	if err == nil && n > maxUpload {
		err = errTooLarge
	}
	if err == nil && n > 1 {
		_, err = f.ReadAt(head[:], 0)
	}
	return n, head, err
}

func (s *store) freshID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return itoa(s.newID())
}

// reset forgets all files.
func (b *fileBook) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.byID {
		_ = os.Remove(u.path) // Close removes the directory anyway
	}
	clear(b.byID)
}

// readRetention is how long results of bulk read are kept. Those of bulk write are by variant: seven days is from
// digests only.
const readRetention = 24 * time.Hour
