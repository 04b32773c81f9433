package zohosim

import (
	"net/http"
	"strings"
	"time"
)

// GET /crm/bulk/{v}/write/{job_id} and GET /{v}/crm/{org}/bulk-write/{id}/{id}.zip
//
// Documented: a bare object with job, resource and file states, counts once finished, result.download_url only then.
// The result zip holds one CSV per resource named {Module}-{file}. Gap: retention of seven days is from digests; the
// answer for a vanished result is not documented (404 RESOURCE_NOT_FOUND here).

type writeStatusWire struct {
	Status    string         `json:"status"`
	Encoding  string         `json:"character_encoding"`
	Resource  []resourceWire `json:"resource"`
	ID        string         `json:"id"`
	Callback  *callback      `json:"callback,omitempty"`
	Result    *resultURL     `json:"result,omitempty"`
	CreatedBy idName         `json:"created_by"`
	Operation string         `json:"operation"`
	Created   string         `json:"created_time"`
}

type resultURL struct {
	URL string `json:"download_url"`
}

type resourceWire struct {
	Status   string         `json:"status"`
	Type     string         `json:"type"`
	Code     string         `json:"code,omitempty"`
	Message  string         `json:"message,omitempty"`
	Module   refWire        `json:"module"`
	FindBy   string         `json:"find_by,omitempty"`
	Mappings []fieldMapping `json:"field_mappings"`
	File     fileWire       `json:"file"`
}

type fileWire struct {
	Status  string `json:"status"`
	Name    string `json:"name,omitempty"`
	Added   *int   `json:"added_count,omitempty"`
	Skipped *int   `json:"skipped_count,omitempty"`
	Updated *int   `json:"updated_count,omitempty"`
	Total   *int   `json:"total_count,omitempty"`
}

func (v Variants) writeState(p phase) string {
	switch p {
	case phaseAdded:
		return "ADDED"
	case phaseDone:
		return "COMPLETED"
	case phaseFailed:
		return "FAILED"
	}
	if v.SpacedInProgress {
		return "IN PROGRESS"
	}
	return "INPROGRESS"
}

func (s *Sim) writeStatus(j *job, ph phase) writeStatusWire {
	w := j.write
	v := s.conf.Load().Variants
	state := v.writeState(ph)
	out := writeStatusWire{Status: state, Encoding: defaulted(w.request.Encoding, "UTF-8"), ID: j.id, Callback: j.notify,
		CreatedBy: s.org.nameOf(0), Operation: w.request.Operation, Created: s.org.stamp(j.created.Unix())}
	for _, p := range w.plans {
		r := resourceWire{Status: state, Type: "data", Module: refWire{p.table.APIName, itoa(p.table.id)}, FindBy: p.resource.FindBy,
			Mappings: p.resource.Mappings, File: fileWire{Status: state}}
		if r.Mappings == nil {
			r.Mappings = []fieldMapping{}
		}
		switch ph {
		case phaseAdded:
			r.Code = "ADDED"
		case phaseDone:
			r.Code = "SUCCESS"
			r.File = fileWire{state, p.entry, &p.added, &p.skipped, &p.updated, &p.total}
		case phaseFailed:
			if v.FailedJob != "bare" {
				r.Code, r.Message = j.failed.code, j.failed.message
			}
		}
		out.Resource = append(out.Resource, r)
	}
	if ph == phaseDone || ph == phaseFailed && j.hasResult() {
		base := defaulted(v.DownloadBase, j.base)
		if v.RelativeDownloadURL {
			base = ""
		}
		out.Result = &resultURL{base + "/v2/crm/org" + s.org.zgid + "/bulk-write/" + j.id + "/" + j.id + ".zip"}
	}
	return out
}

func (c *call) unknownWriteJob() reply {
	e := errNoResource()
	e.http = c.conf.Variants.UnknownJobStatus
	return e.reply()
}

func getBulkWrite(c *call) reply {
	j := c.sim.jobs.get(c.params["id"])
	if j == nil || j.write == nil {
		return c.unknownWriteJob()
	}
	return ok(c.sim.writeStatus(j, c.sim.look(j)))
}

func downloadBulkWrite(c *call) reply {
	j := c.sim.jobs.get(c.params["id"])
	if j == nil || j.write == nil || c.params["file"] != j.id+".zip" || strings.TrimPrefix(c.params["org"], "org") != c.sim.org.zgid {
		return c.unknownWriteJob()
	}
	if c.conf.Variants.DownloadNeedsOrg && c.r.Header.Get("X-CRM-ORG") != c.sim.org.zgid {
		return reply{status: http.StatusBadRequest, code: "GATEWAY", body: gatewayError{"Bad Request", 400, "check if headers [feature, X-CRM-ORG] are present and valid"}}
	}
	path, err := j.resultFile(c, time.Duration(c.conf.Variants.ResultDays)*24*time.Hour)
	if err != nil {
		return err.reply()
	}
	c.sim.log.count(func(n *Counters) { n.Downloads++ })
	return reply{status: http.StatusOK, file: path, fileName: j.id + ".zip", ctype: "application/octet-stream"}
}
