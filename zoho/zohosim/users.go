package zohosim

import "net/http"

// GET /crm/{v}/users?type=CurrentUser|AllUsers|ActiveUsers|AdminUsers... and GET /crm/{v}/users/{id}.
// Documented: users[] with info; time_zone of the current user is what date-times are rendered in.
// Gaps: every token belongs to the first user; all users share its zone, role and profile; DeactiveUsers and the like
// are always empty (204).

type usersAnswer struct {
	Users []userWire `json:"users"`
	Info  *pageInfo  `json:"info,omitempty"`
}

// pageInfo is the paging part most lists share.
type pageInfo struct {
	PerPage     int  `json:"per_page"`
	Count       int  `json:"count"`
	Page        int  `json:"page"`
	MoreRecords bool `json:"more_records"`
}

type idName struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

type userWire struct {
	ID           string  `json:"id"`
	FirstName    string  `json:"first_name"`
	LastName     string  `json:"last_name"`
	FullName     string  `json:"full_name"`
	Email        string  `json:"email"`
	Zuid         string  `json:"zuid"`
	Status       string  `json:"status"`
	Confirm      bool    `json:"confirm"`
	TimeZone     string  `json:"time_zone"`
	Locale       string  `json:"locale"`
	Language     string  `json:"language"`
	CountryLoc   string  `json:"country_locale"`
	DateFormat   string  `json:"date_format"`
	TimeFormat   string  `json:"time_format"`
	Role         idName  `json:"role"`
	Profile      idName  `json:"profile"`
	CreatedBy    idName  `json:"created_by"`
	ModifiedBy   idName  `json:"Modified_By"`
	CreatedTime  string  `json:"created_time"`
	ModifiedTime string  `json:"Modified_Time"`
	Offset       int     `json:"offset"`
	Microsoft    bool    `json:"microsoft"`
	PersonalAcc  bool    `json:"personal_account"`
	ImageLink    *string `json:"image_link"`
	Alias        *string `json:"alias"`
	Phone        *string `json:"phone"`
	Mobile       *string `json:"mobile"`
}

func (c *call) userWire(i int) userWire {
	o := c.sim.org
	u := &o.users[i]
	role := idName{"CEO", itoa(o.roleID)}
	stamp := o.stamp(o.created.Unix())
	_, offset := c.now.In(o.zone()).Zone()
	return userWire{ID: itoa(u.id), FirstName: u.first, LastName: u.last, FullName: u.name(), Email: u.email, Zuid: itoa(808000918 + int64(i)),
		Status: "active", Confirm: true, TimeZone: o.zone().String(), Locale: "en_US", Language: "en_US", CountryLoc: "us",
		DateFormat: "MM/dd/yyyy", TimeFormat: "hh:mm a", Role: role, Profile: idName{"Administrator", itoa(o.profile)},
		CreatedBy: o.nameOf(0), ModifiedBy: o.nameOf(0), CreatedTime: stamp, ModifiedTime: stamp, Offset: offset * 1000}
}

func (o *organisation) nameOf(i int16) idName { return idName{o.users[i].name(), itoa(o.users[i].id)} }

func getUsers(c *call) reply {
	var list []userWire
	page, ok1 := c.intParam("page", 1)
	perPage, ok2 := c.intParam("per_page", 200)
	if !ok1 || !ok2 || page < 1 || perPage < 1 || perPage > 200 {
		return bad("INVALID_DATA", "invalid data").reply()
	}
	first, last := (page-1)*perPage, page*perPage
	total := len(c.sim.org.users)
	switch kind := c.query.Get("type"); kind {
	case "CurrentUser":
		total = 1
	case "", "AllUsers", "ActiveUsers", "ConfirmedUsers", "ActiveConfirmedUsers", "AdminUsers", "ActiveConfirmedAdmins":
	case "DeactiveUsers", "NotConfirmedUsers", "DeletedUsers":
		return noContent()
	default:
		return bad("INVALID_DATA", "the type given seems to be invalid").reply()
	}
	for i := first; i < min(last, total); i++ {
		list = append(list, c.userWire(i))
	}
	if len(list) == 0 {
		return noContent()
	}
	return ok(usersAnswer{list, &pageInfo{perPage, len(list), page, last < total}})
}

func getUser(c *call) reply {
	id, _ := parseID(c.params["id"])
	i, found := c.sim.org.userByID(id)
	if !found {
		return fail(http.StatusBadRequest, "INVALID_DATA", "the id given seems to be invalid").reply()
	}
	return ok(usersAnswer{Users: []userWire{c.userWire(int(i))}})
}
