package scim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/scim"
	"portico/scim/fault"
)

func TestSC001SchemasNameWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	s.do("GET", "/Users/"+id, "").has("schemas.0", "urn:ietf:params:scim:schemas:core:2.0:User", "schemas.1", nil)
	s.patch("/Users/"+id, `{"op":"add","path":"`+entURN+`:department","value":"R&D"}`).want(200).has("schemas.1", entURN, "schemas.2", nil)
}

func TestSC002NamesIgnoreLetterCase(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a := s.do("POST", "/Users", `{"SCHEMAS":["URN:ietf:params:scim:schemas:core:2.0:user"],"USERNAME":"ada","NAME":{"FamilyName":"M"},
		"`+strings.ToUpper(entURN)+`":{"DEPARTMENT":"X"}}`).want(201)
	a.has("userName", "ada", "name.familyName", "M", "|.department", "X")
	s.do("GET", "/Users?attributes=USERNAME&filter=USERNAME%20EQ%20%22ADA%22", "").want(200).has("Resources.0.userName", "ada")
}

func TestSC003NothingIsAbsent(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a := s.do("POST", "/Users", `{`+userURN+`,"userName":"ada","title":null,"emails":[],"nickName":"","name":{"givenName":""}}`).want(201)
	a.has("title", nil, "emails", nil, "nickName", nil, "name", nil)
	if strings.Contains(a.text, "null") || strings.Contains(a.text, "[]") {
		t.Error(a.text)
	}
}

func TestSC004TypesHold(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, bad := range []string{
		`"active":"yes"`, `"active":1`, `"title":7`, `"emails":"x"`, `"emails":{"value":"x"}`, `"name":"x"`, `"name":[]`, `"title":["x"]`,
		`"x509Certificates":[{"value":"%%%"}]`, `"` + badgeURN + `":{"number":1.5}`, `"` + badgeURN + `":{"number":1e2}`,
		`"` + badgeURN + `":{"weight":1e999999}`, `"` + badgeURN + `":{"issued":"yesterday"}`, `"` + badgeURN + `":{"number":99999999999999999999}`,
		`"` + badgeURN + `":"x"`, `"emails":["x",["y"]]`, `"title":"a\u0000b"`,
	} {
		s.do("POST", "/Users", `{`+userURN+`,"userName":"ada",`+bad+`}`).refused(400, fault.InvalidValue)
	}
	a := s.do("POST", "/Users", `{`+userURN+`,"userName":"ada","`+badgeURN+`":{"number":9007199254740993,"weight":0.10,"issued":"2026-01-31T23:00:00+01:00"}}`).want(201)
	for _, exact := range []string{`"number":9007199254740993`, `"weight":0.10`, `"issued":"2026-01-31T23:00:00+01:00"`} {
		if !strings.Contains(a.text, exact) {
			t.Errorf("%s: %s", exact, a.text)
		}
	}
}

func TestSC006OnePrimaryNoDoubles(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do("POST", "/Users", `{`+userURN+`,"userName":"a","emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`).
		refused(400, fault.InvalidValue)
	s.do("POST", "/Users", `{`+userURN+`,"userName":"a","emails":[{"value":"a@x","type":"work"},{"value":"A@X","type":"Work"},{"value":"a@x","type":"home"}]}`).
		want(201).has("emails.1.type", "home", "emails.2", nil)
}

func TestSC007ServerMakesIDs(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"id":"mine","meta":{"created":"1999-01-01T00:00:00Z"}`)
	if id == "mine" || strings.HasPrefix(id, "bulkId") {
		t.Error(id)
	}
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"id":"other","userName":"ada"}`).want(200).has("id", id)
	s.patch("/Users/"+id, `{"op":"replace","path":"id","value":"x"}`).refused(400, fault.Mutability)
}

func TestSC008ExternalIDIsTheClients(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"externalId":"X1"`)
	s.do("GET", "/Users?filter=externalId%20eq%20%22X1%22", "").has("totalResults", "1")
	s.do("GET", "/Users?filter=externalId%20eq%20%22x1%22", "").has("totalResults", "0")
	s.patch("/Users/"+id, `{"op":"replace","path":"externalId","value":"X2"}`).has("externalId", "X2")
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada"}`).want(200).has("externalId", nil)
}

func TestSC009MetaIsOurs(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a := s.do("POST", "/Users", `{`+userURN+`,"userName":"ada","meta":{"resourceType":"Other","version":"W/\"x\""}}`).want(201)
	a.has("meta.resourceType", "User", "meta.created", "2026-03-01T08:00:00.123Z", "meta.lastModified", "2026-03-01T08:00:00.123Z")
	s.pass(time.Hour)
	id := a.id()
	same := s.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"ada"}`).want(200)
	same.has("meta.lastModified", "2026-03-01T08:00:00.123Z", "meta.version", a.at("meta.version"))
	s.patch("/Users/"+id, `{"op":"replace","path":"title","value":"x"}`).has("meta.lastModified", "2026-03-01T09:00:00.123Z", "meta.created", a.at("meta.created"))
}

func TestSC010LocationAndVersionAgree(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a := s.do("POST", "/Users", `{`+userURN+`,"userName":"ada"}`).want(201)
	location := base + "/Users/" + a.id()
	a.has("meta.location", location, "meta.version", a.header.Get("ETag"))
	if a.header.Get("Location") != location || a.header.Get("Content-Location") != location {
		t.Error(a.header)
	}
	b := s.do("GET", "/Users/"+a.id(), "").want(200).has("meta.version", a.header.Get("ETag"))
	if b.header.Get("Content-Location") != location || b.header.Get("Location") != "" {
		t.Error(b.header)
	}
}

func TestSC012UserNameIsThereAndUnique(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, body := range []string{`{` + userURN + `}`, `{` + userURN + `,"userName":""}`, `{` + userURN + `,"userName":"  "}`, `{` + userURN + `,"userName":null}`} {
		s.do("POST", "/Users", body).refused(400, fault.InvalidValue)
	}
	s.user("ada", "")
	s.do("POST", "/Users", `{`+userURN+`,"userName":"Ada"}`).refused(409, fault.Uniqueness)
}

func TestSC013SC063PasswordIsNeverShown(t *testing.T) {
	t.Parallel()
	s := newService(t)
	secret := "Correct-Horse-9"
	a := s.do("POST", "/Users?attributes=userName,password", `{`+userURN+`,"userName":"ada","password":"`+secret+`"}`).want(201)
	id := a.id()
	texts := a.text + s.do("GET", "/Users/"+id+"?attributes=password", "").want(200).text
	texts += s.patch("/Users/"+id, `{"op":"replace","value":{"password":"`+secret+`2"}}`).want(200).text
	if s.memory.password[id] != secret+"2" {
		t.Error("the password was not handed on")
	}
	texts += s.do("GET", "/Users?filter=password%20eq%20%22"+secret+"%22", "").refused(403, fault.Sensitive).text
	texts += s.do("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"password eq \"`+secret+`\""}`).
		refused(400, fault.InvalidFilter).text
	texts += s.do("GET", "/Users?sortBy=password", "").want(200).text + s.log.String()
	if strings.Contains(texts, secret) {
		t.Error("the password is in an answer or in the log")
	}
	for _, e := range s.events {
		if strings.Contains(strings.Join(e.Attributes, " ")+e.ID, secret) {
			t.Error("the password is in the audit")
		}
	}
}

func TestSC014CountryAndCertificates(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do("POST", "/Users", `{`+userURN+`,"userName":"a","addresses":[{"country":"de","locality":"B"}],"x509Certificates":[{"value":"MIIB"}]}`).
		want(201).has("addresses.0.country", "DE", "x509Certificates.0.value", "MIIB")
	s.token = "strict"
	s.do("POST", "/Users", `{`+userURN+`,"userName":"b","addresses":[{"country":"Germany","locality":"B"}]}`).refused(400, fault.InvalidValue)
}

func TestSC015GroupsOfAUserAreReadOnly(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"groups":[{"value":"g"}]`)
	g := s.group("ops", id)
	a := s.do("GET", "/Users/"+id, "").has("groups.0.value", g, "groups.0.$ref", base+"/Groups/"+g, "groups.0.type", "direct", "groups.0.display", "ops")
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada","groups":[]}`).want(200).has("groups.0.value", g)
	s.patch("/Users/"+id, `{"op":"remove","path":"groups"}`).refused(400, fault.Mutability)
	s.patch("/Users/"+id, `{"op":"add","path":"groups","value":[{"value":"`+g+`"}]}`).refused(400, fault.Mutability)
	s.do("GET", "/Users/"+id, "").has("meta.version", a.at("meta.version"))
}

func TestSC016Mutability(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"`+badgeURN+`":{"serial":"A1"}`)
	s.patch("/Users/"+id, `{"op":"replace","path":"`+badgeURN+`:serial","value":"A1"}`).want(200)
	s.patch("/Users/"+id, `{"op":"replace","path":"`+badgeURN+`:serial","value":"a1"}`).refused(400, fault.Mutability)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada","`+badgeURN+`":{"serial":"B"}}`).refused(400, fault.Mutability)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada"}`).want(200)
	other := s.user("bob", "")
	s.patch("/Users/"+other, `{"op":"add","path":"`+badgeURN+`:serial","value":"C"}`).want(200)
}

func TestSC017StoredCaseIsKept(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("Ada", `"title":"Straße Ä"`)
	s.do("GET", "/Users/"+id, "").has("userName", "Ada", "title", "Straße Ä")
	s.do("GET", "/Users?filter=title%20eq%20%22straße%20a%CC%88%22", "").has("totalResults", "1") // NFC and case
}

func TestSC030TokensAndScopes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	none := s.do("GET", "/Users", "", "Authorization: ").refused(401, "")
	bad := s.do("GET", "/Users", "", "Authorization: Bearer wrong").refused(401, "")
	if none.header.Get("WWW-Authenticate") != `Bearer realm="scim"` || bad.header.Get("WWW-Authenticate") != `Bearer realm="scim", error="invalid_token"` {
		t.Error(none.header, bad.header)
	}
	s.do("GET", "/Users", "", "Authorization: Basic eDp5").refused(401, "")
	s.do("GET", "/nowhere", "", "Authorization: ").refused(401, "")
	s.token = "reader"
	s.do("GET", "/Users/"+id, "").want(200)
	s.do("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`).want(200)
	s.do("POST", "/Users", `{`+userURN+`,"userName":"x"}`).refused(403, "")
	s.patch("/Users/"+id, `{"op":"remove","path":"title"}`).refused(403, "")
	s.do("DELETE", "/Users/"+id, "").refused(403, "")
	s.do("POST", "/Bulk", `{}`).refused(403, "")
	s.token = "writer"
	s.do("GET", "/Users/"+id, "").refused(403, "")
	s.token = "nopassword"
	s.patch("/Users/"+id, `{"op":"replace","value":{"password":"x"}}`).refused(403, "")
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada","password":"x"}`).refused(403, "")
	s.do("POST", "/Users", `{`+userURN+`,"userName":"x","password":"x"}`).refused(403, "")
	s.patch("/Users/"+id, `{"op":"replace","value":{"title":"x"}}`).want(200)
}

func TestSC032SC033Create(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a := s.do("POST", "/Users?attributes=title", `{`+userURN+`,"userName":"ada","title":"x"}`).want(201)
	a.has("title", "x", "userName", nil, "meta", nil)
	s.do("POST", "/Users", `{`+userURN+`,"userName":"ADA"}`).refused(409, fault.Uniqueness)
	s.group("ops")
	s.do("POST", "/Groups", `{`+groupURN+`,"displayName":"Ops"}`).refused(409, fault.Uniqueness)
	s.do("POST", "/Users", `{`+groupURN+`,"userName":"x"}`).refused(400, fault.InvalidSyntax)
}

func TestSC035SC060ReadAndVersions(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	tag := s.do("GET", "/Users/"+id, "").want(200).header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Error(tag)
	}
	for _, match := range []string{tag, tag[2:], `"zz", ` + tag, "*"} {
		a := s.do("GET", "/Users/"+id, "", "If-None-Match: "+match).want(304)
		if a.text != "" || a.header.Get("ETag") != tag {
			t.Error(match, a.text)
		}
	}
	s.do("GET", "/Users/"+id, "", `If-None-Match: W/"zz"`).want(200)
	s.do("GET", "/Users/"+id, "", `If-None-Match: zz`).refused(400, "")
	s.do("GET", "/Users/unknown", "").refused(404, "")
	head := s.do("HEAD", "/Users/"+id, "").want(200)
	if head.text != "" || head.header.Get("Content-Length") == "0" || head.header.Get("ETag") != tag {
		t.Error(head.header)
	}
}

func TestSC059Preconditions(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	tag := s.do("GET", "/Users/"+id, "").header.Get("ETag")
	put := `{` + userURN + `,"userName":"ada","title":"x"}`
	s.do("PUT", "/Users/"+id, put, `If-Match: W/"old"`).refused(412, "")
	s.do("DELETE", "/Users/"+id, "", `If-Match: W/"old"`).refused(412, "")
	s.patch("/Users/"+id, `{"op":"remove","path":"title"}`, `If-Match: W/"old"`).refused(412, "")
	s.do("PUT", "/Users/"+id, put, "If-None-Match: *").refused(412, "")
	s.do("PUT", "/Users/unknown", put, "If-None-Match: *").refused(404, "")
	for _, bad := range []string{"x", `W/x`, `"a" "b"x`, `"a`, ","} {
		s.do("PUT", "/Users/"+id, put, "If-Match: "+bad).refused(400, "")
	}
	a := s.do("PUT", "/Users/"+id, put, `If-Match: "zz", `+tag).want(200)
	if a.header.Get("ETag") == tag {
		t.Error("the version is the same after a write")
	}
	s.do("DELETE", "/Users/"+id, "", "If-Match: *").want(204)
}

// TestTwoWritesInOneInstant: the clock stands still, the versions differ all the same.
func TestTwoWritesInOneInstant(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	one := s.patch("/Users/"+id, `{"op":"add","path":"title","value":"1"}`).header.Get("ETag")
	two := s.patch("/Users/"+id, `{"op":"add","path":"title","value":"2"}`).header.Get("ETag")
	if one == two {
		t.Error(one)
	}
}

func TestSC044Projection(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"title":"x","name":{"givenName":"A","familyName":"M"},"emails":[{"value":"a@x","type":"work"}],
		"`+entURN+`":{"department":"R","costCenter":"7"},"`+badgeURN+`":{"secret":"s","number":4}`)
	path := "/Users/" + id
	s.do("GET", path+"?attributes=NAME.familyname,%20emails.type", "").
		has("id", id, "name.familyName", "M", "name.givenName", nil, "emails.0.type", "work", "emails.0.value", nil, "title", nil, "meta", nil, "schemas.0", "urn:ietf:params:scim:schemas:core:2.0:User")
	s.do("GET", path+"?attributes="+entURN, "").has("|.department", "R", "|.costCenter", "7", "userName", nil)
	s.do("GET", path+"?attributes="+entURN+":department", "").has("|.department", "R", "|.costCenter", nil)
	s.do("GET", path+"?excludedAttributes=id,schemas,meta,name.givenName,"+entURN+":costCenter,nonsense", "").
		has("id", id, "meta", nil, "name.familyName", "M", "name.givenName", nil, "|.department", "R", "|.costCenter", nil)
	s.do("GET", path+"?attributes=meta.version", "").has("meta.created", nil, "title", nil)
	if a := s.do("GET", path, ""); strings.Contains(a.text, "secret") {
		t.Error("an attribute that is returned on request only is there")
	}
	if a := s.do("GET", path+"?attributes="+badgeURN+":secret", ""); !strings.Contains(a.text, `"secret":"s"`) {
		t.Error(a.text)
	}
	s.do("GET", path+"?attributes=title&excludedAttributes=name", "").refused(400, fault.InvalidValue)
	s.do("PUT", path+"?attributes=userName", `{`+userURN+`,"userName":"ada"}`).want(200).has("userName", "ada", "meta", nil)
	s.patch(path+"?excludedAttributes=userName", `{"op":"add","path":"title","value":"t"}`).want(200).has("userName", nil, "title", "t")
	s.do("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["title"]}`).
		has("Resources.0.title", "t", "Resources.0.userName", nil)
}

func TestSC046PutReplaces(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"title":"x","active":false,"emails":[{"value":"a"}]`)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada2","nickName":"n"}`).want(200).
		has("userName", "ada2", "nickName", "n", "title", nil, "emails", nil, "active", false)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"nickName":"n"}`).refused(400, fault.InvalidValue)
	s.do("PUT", "/Users/unknown", `{`+userURN+`,"userName":"q"}`).refused(404, "")
	s.do("PUT", "/Users", `{`+userURN+`,"userName":"q"}`).refused(405, "")
}

func TestSC054Delete(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	a := s.do("DELETE", "/Users/"+id, "").want(204)
	if a.text != "" {
		t.Error(a.text)
	}
	for _, method := range []string{"GET", "HEAD", "DELETE"} {
		s.do(method, "/Users/"+id, "").want(404)
	}
	s.patch("/Users/"+id, `{"op":"remove","path":"title"}`).refused(404, "")
	s.do("GET", "/Users", "").has("totalResults", "0")
	s.user("ada", "")
}

func TestSC057Me(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do("GET", "/Me", "").refused(404, "")
	id := s.user("ada", "")
	s.token = "me"
	a := s.do("GET", "/Me", "").want(200).has("id", id)
	if a.header.Get("Location") != base+"/Users/"+id || a.header.Get("Content-Location") != base+"/Users/"+id {
		t.Error(a.header)
	}
	s.patch("/Me", `{"op":"add","path":"title","value":"x"}`).want(200).has("title", "x")
	s.do("PUT", "/Me", `{`+userURN+`,"userName":"ada"}`).want(200).has("title", nil)
	s.do("DELETE", "/Me", "").want(204)
	off := newService(t, func(c *scim.Config) { c.NoMe = true })
	off.do("GET", "/Me", "").refused(501, "")
}

func TestReadOnlyMode(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.ReadOnly = true })
	for _, c := range [][2]string{{"POST", "/Users"}, {"POST", "/Bulk"}, {"PUT", "/Users/x"}, {"PATCH", "/Users/x"}, {"DELETE", "/Users/x"}} {
		s.do(c[0], c[1], "{}").refused(403, "").has("detail", "read-only")
	}
	s.do("GET", "/ServiceProviderConfig", "").has("patch.supported", false, "bulk.supported", false, "changePassword.supported", false, "sort.supported", true)
	s.do("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`).want(200)
}

// TestSafety7 bounds deletions and deactivations.
func TestSafety7RemovalsAreBounded(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.Removal = 2 })
	var ids []string
	for _, name := range []string{"a", "b", "c", "d"} {
		ids = append(ids, s.user(name, ""))
	}
	s.do("DELETE", "/Users/"+ids[0], "").want(204)
	s.patch("/Users/"+ids[1], `{"op":"replace","path":"active","value":false}`).want(200)
	s.patch("/Users/"+ids[1], `{"op":"replace","path":"title","value":"still"}`).want(200)
	s.patch("/Users/"+ids[2], `{"op":"replace","path":"active","value":false}`).refused(http.StatusTooManyRequests, "")
	if a := s.do("DELETE", "/Users/"+ids[2], "").refused(429, ""); a.header.Get("Retry-After") != "60" {
		t.Error(a.header)
	}
	s.do("GET", "/Users/"+ids[2], "").has("active", true)
	s.token = "other"
	s.do("DELETE", "/Users/"+ids[3], "").want(204)
	s.token = "full"
	s.pass(time.Minute)
	s.do("DELETE", "/Users/"+ids[2], "").want(204)
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.Rate = 2 })
	for range 3 {
		s.do("GET", "/Users", "").want(200)
	}
	if a := s.do("GET", "/Users", "").refused(429, ""); a.header.Get("Retry-After") != "1" {
		t.Error(a.header)
	}
	s.pass(time.Second)
	s.do("GET", "/Users", "").want(200)
}
