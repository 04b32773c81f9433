package zohosim

import (
	"net/http"
	"strings"
)

// DELETE /crm/{v}/{Module}?ids=, DELETE /crm/{v}/{Module}/{id}, POST .../actions/mass_delete, GET .../deleted and
// GET .../actions/count
//
// Documented: per-record answers, message "record deleted" ("record is deleted" for mass delete), 100 ids (500 for
// mass delete); the deleted list by type all, recycle or permanent with If-Modified-Since, 204 when empty, recycle for
// 60 days, permanent for another 60. Gaps: mass delete by cvid, restore, criteria and filters of count; count is
// exact where Zoho's lags minutes.

const (
	maxMassDelete   = 500
	recycleSeconds  = 60 * 24 * 3600
	permanentReach  = 120 * 24 * 3600
	maxDeletedPages = 200
)

type idDetails struct {
	ID string `json:"id"`
}

func deleteRecords(c *call) reply {
	ids := strings.FieldsFunc(c.query.Get("ids"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(ids) == 0 {
		return bad("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing").with(paramName{"ids"}).reply()
	}
	if len(ids) > maxRecords {
		return bad("LIMIT_EXCEEDED", "more than 100 ids").with(maxLimit{maxRecords}).reply()
	}
	return c.deleteAll(ids, "record deleted")
}

func deleteRecord(c *call) reply { return c.deleteAll([]string{c.params["id"]}, "record deleted") }

func (c *call) deleteAll(ids []string, message string) reply {
	s := c.sim.store
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[c.params["module"]]
	if t == nil || t.NoAPI || t.NotDeletable {
		return errModule().reply()
	}
	rows := make([]rowAnswer, len(ids))
	for i, text := range ids {
		id, _ := parseID(text)
		r := t.find(id)
		if r == nil {
			rows[i] = rowError(bad("INVALID_DATA", "record not deleted").with(idDetails{text}))
			continue
		}
		t.remove(r, c.now)
		rows[i] = rowAnswer{Code: "SUCCESS", Details: idDetails{text}, Message: message, Status: "success"}
	}
	return answerRows(rows, http.StatusOK)
}

type massDeleteBody struct {
	IDs  []idText `json:"ids"`
	CVID idText   `json:"cvid"`
}

func massDeleteCost(c *call) int {
	var b massDeleteBody
	if c.decode(&b) != nil {
		return 1
	}
	return max(1, (min(len(b.IDs), maxMassDelete)+99)/100)
}

func massDelete(c *call) reply {
	var b massDeleteBody
	switch err := c.decode(&b); {
	case err != nil:
		return bad("INVALID_DATA", "the request body is not valid JSON").reply()
	case b.CVID != "":
		return bad("NOT_SUPPORTED", "mass delete by cvid is not simulated").reply()
	case len(b.IDs) == 0:
		return bad("MANDATORY_NOT_FOUND", "required field not found").with(fieldDetails{APIName: "ids", Path: "$.ids"}).reply()
	case len(b.IDs) > maxMassDelete:
		return bad("LIMIT_EXCEEDED", "more than 500 ids").with(maxLimit{maxMassDelete}).reply()
	}
	ids := make([]string, len(b.IDs))
	for i, id := range b.IDs {
		ids[i] = string(id)
	}
	return c.deleteAll(ids, "record is deleted")
}

type deletedWire struct {
	DeletedBy   *idName `json:"deleted_by"`
	ID          string  `json:"id"`
	DisplayName *string `json:"display_name"`
	Type        string  `json:"type"`
	CreatedBy   *idName `json:"created_by"`
	DeletedTime string  `json:"deleted_time"`
}

type deletedAnswer struct {
	Data []deletedWire `json:"data"`
	Info pageInfo      `json:"info"`
}

func getDeleted(c *call) reply {
	kind := defaulted(c.query.Get("type"), "all")
	if kind != "all" && kind != "recycle" && kind != "permanent" {
		return bad("PATTERN_NOT_MATCHED", "Please check whether the input values are correct").with(paramName{"type"}).reply()
	}
	page, ok1 := c.intParam("page", 1)
	per, ok2 := c.intParam("per_page", maxDeletedPages)
	if !ok1 || !ok2 || page < 1 || per < 1 || per > maxDeletedPages {
		return bad("INVALID_DATA", "page or per_page is invalid").reply()
	}
	since := ""
	if h := c.r.Header.Get("If-Modified-Since"); h != "" {
		at, valid := instant(h)
		if !valid {
			return bad("INVALID_DATA", "If-Modified-Since is not an ISO 8601 date-time").reply()
		}
		since = at.text
	}
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[c.params["module"]]
	if t == nil || t.NoAPI {
		return errModule().reply()
	}
	return c.deletedPage(t, kind, since, page, per)
}

func (c *call) deletedPage(t *table, kind, since string, page, per int) reply {
	var list []deletedWire
	skip, more := (page-1)*per, false
	for i := len(t.removed) - 1; i >= 0; i-- { // latest first
		d := &t.removed[i]
		age := c.now.Unix() - d.at
		w := deletedWire{ID: itoa(d.id), Type: "permanent", DeletedTime: c.stamp(d.at)}
		if age < recycleSeconds {
			by, creator := c.sim.org.nameOf(0), c.sim.org.nameOf(d.createdBy)
			w.Type, w.DeletedBy, w.CreatedBy, w.DisplayName = "recycle", &by, &creator, &d.display
		}
		if age >= permanentReach || kind != "all" && kind != w.Type || since != "" && utc(d.at) <= since {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if more = len(list) == per; more {
			break
		}
		list = append(list, w)
	}
	if len(list) == 0 {
		return noContent()
	}
	return ok(deletedAnswer{list, pageInfo{per, len(list), page, more}})
}

func getCount(c *call) reply {
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[c.params["module"]]
	if t == nil || t.NoAPI {
		return errModule().reply()
	}
	return ok(struct {
		Count int `json:"count"`
	}{t.live})
}
