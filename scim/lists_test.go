package scim_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/scim"
	"portico/scim/fault"
)

const searchURN = `"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]`

// query asks for users with parameters: name, value, name, value.
func (s *service) query(path string, parameters ...string) *answer {
	s.tb.Helper()
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Add(parameters[i], parameters[i+1])
	}
	return s.do("GET", path+"?"+values.Encode(), "")
}

// people are what the filters of the tests are asked about.
func people(s *service) (ada, bob, group string) {
	ada = s.user("a.miller", `"externalId":"X1","title":"Head","userType":"Employee","name":{"givenName":"Ada","familyName":"O'Neil"},
		"emails":[{"value":"a@x.example","type":"work","primary":true},{"value":"a@home.example","type":"home"}]`)
	s.pass(time.Hour)
	bob = s.user("Jbob", `"title":"Clerk","userType":"Intern","active":false,"phoneNumbers":[{"value":"+1","type":"work"}],
		"`+entURN+`":{"department":"R&D","manager":{"value":"`+ada+`"}},"`+badgeURN+`":{"number":7,"weight":1.50,"issued":"2026-02-01T00:00:00Z","colours":["red","blue"]}`)
	s.user("zoe \\\"q\\\" \\\\b", "")
	return ada, bob, s.group("ops", ada)
}

func TestSC039SC041Filters(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ada, bob, group := people(s)
	for filter, want := range map[string]string{
		`userName eq "a.miller"`: "A", `USERNAME Eq "A.MILLER"`: "A", `externalId eq "X1"`: "A", `externalId eq "x1"`: "",
		`emails[type eq "work"].value eq "a@x.example"`: "A", `emails[type eq "home"].value eq "a@x.example"`: "",
		`emails co "x.example"`: "A", `emails eq "A@X.example"`: "A", `emails.value eq "a@x.example"`: "A",
		`emails[type eq "work" and (primary eq true or value ew ".example")]`: "A", `emails[type eq "home" and primary eq true]`: "",
		`name.familyName co "O'Neil"`: "A", `title pr and not (userType eq "Intern")`: "A",
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`:                                     "B",
		`userName pr and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "R&D"`: "B",
		`URN:ietf:params:scim:schemas:extension:enterprise:2.0:user:DEPARTMENT eq "r&d"`:                 "B",
		`meta.lastModified ge "2026-03-01T09:30:00+01:00"`:                                               "BZ",
		`meta.lastModified eq "2026-03-01T08:00:00.123Z"`:                                                "A",
		`meta.created co "T08:00:00.123"`:                                                                "A",
		`groups.value eq "` + group + `"`:                                                                "A",
		entURN + `:manager.value eq "` + ada + `"`:                                                       "B",
		entURN + `:manager eq "` + ada + `"`:                                                             "B",
		`id eq "` + bob + `"`:                                                                            "B",
		`active eq true`:                                                                                 "AZ",
		`active eq "False"`:                                                                              "B",
		`active ne true`:                                                                                 "B",
		`title eq null`:                                                                                  "Z",
		`title ne null`:                                                                                  "AB",
		`title ne "Head"`:                                                                                "BZ",
		`not (title eq "Head")`:                                                                          "BZ",
		`emails.type ne "work"`:                                                                          "ABZ",
		`name pr`:                                                                                        "A",
		`emails pr`:                                                                                      "A",
		`emails[type eq "work"] and phoneNumbers pr`:                                                     "",
		`title gt "Clerk"`:                                                                               "A",
		`title le "clerk"`:                                                                               "B",
		`schemas eq "` + entURN + `"`:                                                                    "B",
		`meta.resourceType eq "User" and title pr`:                                                       "AB",
		`meta.location ew "/Users/` + ada + `"`:                                                          "A",
		badgeURN + `:number ge 7`:                                                                        "B",
		badgeURN + `:weight eq 1.5`:                                                                      "B",
		badgeURN + `:number lt 7.0`:                                                                      "",
		badgeURN + `:issued lt "2026-02-01T01:00:01+01:00"`:                                              "B",
		badgeURN + `:colours eq "BLUE"`:                                                                  "B",
		`userName eq "zoe \"q\" \\b"`:                                                                    "Z",
		`userName eq "zoe \u0022q\u0022 \u005cb"`:                                                        "Z",
		`  title   eq  "Head"  or( title eq "Clerk" )`:                                                   "AB",
		`title eq "Head" or title eq "Clerk" and userType eq "Nobody"`:                                   "A",
		`(title eq "Head" or title eq "Clerk") and userType eq "Intern"`:                                 "B",
		`userName co "*"`:                                                                                "",
		`emails[type eq "work" and not (value co "nowhere")].primary eq TRUE`:                            "A",
		`emails[value pr].display pr`:                                                                    "",
	} {
		a := s.query("/Users", "filter", filter).want(200)
		got := ""
		for _, c := range []struct{ word, name string }{{"A", `"a.miller"`}, {"B", `"Jbob"`}, {"Z", `"zoe `}} {
			if strings.Contains(a.text, `"userName":`+c.name) {
				got += c.word
			}
		}
		if got != want || a.at("totalResults") != strconv.Itoa(len(want)) {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
		if b := s.do("POST", "/Users/.search", fmt.Sprintf(`{%s,"filter":%q}`, searchURN, filter)); !strings.Contains(filter, `\u`) && b.text != a.text {
			t.Errorf("SC-045 %s: %s and %s", filter, a.text, b.text)
		}
	}
	s.query("/Groups", "filter", `members.value eq "`+ada+`"`).has("totalResults", "1")
}

func TestSC039SC040BadFilters(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, bad := range []string{
		`nope eq "x"`, `userName`, `userName xx "x"`, `userName eq`, `userName eq x`, `userName eq "x`, `userName eq "x" and`, `(userName pr`,
		`userName pr)`, `not userName pr`, `userName eq 5`, `active gt true`, `active co "t"`, `active eq "maybe"`, `active eq 1`, `name eq "x"`,
		`addresses eq "x"`, `title gt null`, `meta.created eq "soon"`, `x509Certificates.value gt "x"`, `emails[type eq "work"`, `emails[emails[type pr]]`,
		`emails[nope eq "x"]`, `emails[type pr].nope pr`, `userName[value pr]`, `name.nope pr`, `urn:nope:userName pr`, `userName eq "x""y"`, `userName eq "\x"`,
		`userName eq "\ud800"`, badgeURN + `:number eq "7"`, badgeURN + `:number co 7`, badgeURN + `:number eq 1e999999999`, `emails[type eq "a"]value pr`,
		`userName eq 05`, entURN + ` pr`, `()`, `eq eq eq`, `userName pr title pr`,
	} {
		a := s.query("/Users", "filter", bad).refused(400, fault.InvalidFilter)
		if strings.Contains(a.text, "fault.") || a.at("detail") == "" {
			t.Errorf("%s: %s", bad, a.text)
		}
	}
	s.do("GET", "/Users?filter=%zz", "").refused(400, fault.InvalidValue)
	s.do("GET", "/Users?filter=%ff", "").refused(400, fault.InvalidFilter)
	s.do("GET", "/Users?filter=title%20pr&filter=title%20pr", "").refused(400, fault.InvalidValue)
}

func TestE06E07FiltersAreBoundedBeforeTheyAreParsed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	deep := strings.Repeat("(", 100_000) + "title pr" + strings.Repeat(")", 100_000)
	long := strings.Repeat("title pr or ", 5000) + "title pr"
	id := s.user("ada", "")
	for _, filter := range []string{
		deep, long, strings.Repeat("x", 1<<20), strings.Repeat("(", 51) + "title pr" + strings.Repeat(")", 51),
		strings.Repeat("not (", 20_000), strings.Repeat("emails[", 20_000), strings.Repeat("title pr or ", 200) + "title pr",
	} {
		start := time.Now()
		s.query("/Users", "filter", filter).refused(400, fault.InvalidFilter)
		s.do("POST", "/Users/.search", fmt.Sprintf(`{%s,"filter":%q}`, searchURN, filter)).refused(400, fault.InvalidFilter)
		s.patch("/Users/"+id, fmt.Sprintf(`{"op":"remove","path":%q}`, "emails["+filter+"]")).want(400)
		s.patch("/Users/"+id, fmt.Sprintf(`{"op":"add","value":{%q:"x"}}`, "emails["+filter+"]")).want(400)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%.20s…: %s", filter, took)
		}
	}
	s.query("/Users", "filter", strings.Repeat("(", 50)+"title pr"+strings.Repeat(")", 50)).want(200)
	s.query("/Users", "filter", strings.Repeat("title pr or ", 199)+"title pr").want(200)
	s.query("/Users", "filter", `title eq "`+strings.Repeat("(", 3000)+strings.Repeat(" or ", 300)+`"`).want(200)
}

func TestSC036SC043E08Pages(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.PageSize, c.MaxPage = 3, 5 })
	s.query("/Users", "filter", `userName eq "nobody"`).want(200).has("totalResults", "0", "itemsPerPage", "0", "startIndex", "1")
	for i := range 8 {
		s.user(fmt.Sprintf("u%d", i), "")
	}
	for _, c := range []struct{ start, count, wantStart, items, first string }{
		{"", "", "1", "3", "u0"},
		{"0", "2", "1", "2", "u0"},
		{"-5", "2", "1", "2", "u0"},
		{"3", "2", "3", "2", "u2"},
		{"8", "5", "8", "1", "u7"},
		{"9", "5", "9", "0", ""},
		{"1", "0", "1", "0", ""},
		{"1", "-1", "1", "0", ""},
		{"1", "1000000000", "1", "5", "u0"},
		{"99999999999999999999", "2", "2147483647", "0", ""},
		{"-99999999999999999999", "99999999999999999999", "1", "5", "u0"},
	} {
		parameters := []string{}
		if c.start != "" {
			parameters = append(parameters, "startIndex", c.start)
		}
		if c.count != "" {
			parameters = append(parameters, "count", c.count)
		}
		a := s.query("/Users", parameters...).want(200).has("totalResults", "8", "itemsPerPage", c.items, "startIndex", c.wantStart)
		if strings.Contains(a.text, "nextCursor") {
			t.Error("a cursor without being asked")
		}
		if list, ok := a.body["Resources"].([]any); !ok || strconv.Itoa(len(list)) != c.items {
			t.Errorf("%v: Resources: %s", c, a.text)
		}
		if c.first != "" {
			a.has("Resources.0.userName", c.first)
		}
	}
	for _, bad := range []string{"x", "1.5", "", "+1", "--1", "0x1", " 1"} {
		s.query("/Users", "count", bad).refused(400, fault.InvalidValue)
		s.query("/Users", "startIndex", bad).refused(400, fault.InvalidValue)
	}
}

func TestSC042Sort(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.user("b", `"title":"Z","emails":[{"value":"1"},{"value":"9","primary":true}],"externalId":"a"`)
	s.user("C", `"title":"a","emails":[{"value":"5"}],"externalId":"B"`)
	s.user("a", ``)
	for _, c := range [][3]string{
		{"userName", "", "a b C"},
		{"USERNAME", "descending", "C b a"},
		{"title", "ascending", "C b a"},
		{"title", "Descending", "a b C"},
		{"emails", "", "C b a"},
		{"emails.value", "", "C b a"},
		{"externalId", "", "C b a"},
		{"", "", "b C a"},
		{"nonsense", "", "b C a"},
		{"meta.created", "", "b C a"},
		{"urn:ietf:params:scim:schemas:core:2.0:User:userName", "", "a b C"},
		{"id", "", "b C a"},
	} {
		if got := s.query("/Users", "sortBy", c[0], "sortOrder", c[1]).want(200).names(); got != c[2] {
			t.Errorf("%v: %s", c, got)
		}
	}
	s.query("/Users", "sortOrder", "sideways").refused(400, fault.InvalidValue)
}

func TestSC070ToSC076Cursors(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.MaxPage = 10 })
	for i := range 5 {
		s.user(fmt.Sprintf("u%d", i), `"title":"t"`)
	}
	filter := []string{"filter", "title pr", "sortBy", "userName", "sortOrder", "descending", "count", "2"}
	one := s.query("/Users", append(filter, "cursor", "")...).want(200).has("totalResults", "5", "itemsPerPage", "2", "startIndex", nil, "previousCursor", nil)
	cursor, _ := one.at("nextCursor").(string)
	if cursor == "" || strings.Trim(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != "" || one.names() != "u4 u3" {
		t.Fatal(one.text)
	}
	s.user("u9", `"title":"t"`) // before the place: must not shift it
	two := s.query("/Users", append(filter, "cursor", cursor)...).want(200).has("totalResults", "6")
	body := fmt.Sprintf(`{%s,"filter":"title pr","sortBy":"userName","sortOrder":"descending","cursor":%q}`, searchURN, two.at("nextCursor"))
	three := s.do("POST", "/Users/.search", body).want(200).has("nextCursor", nil)
	if two.names() != "u2 u1" || three.names() != "u0" {
		t.Error(two.names(), three.names())
	}
	again := newService(t, func(c *scim.Config) { c.MaxPage = 10 }) // another process with the same key
	again.query("/Users", append(filter, "cursor", cursor)...).want(200)

	middle := cursor[:len(cursor)/2] + string('A'+(cursor[len(cursor)/2]-'A'+1)%26) + cursor[len(cursor)/2+1:]
	for _, bad := range []string{"x", cursor + "A", cursor[:len(cursor)-4], middle, strings.Repeat("A", 100), cursor + "=", "%00"} {
		s.query("/Users", append(filter, "cursor", bad)...).refused(400, fault.InvalidCursor)
	}
	s.query("/Users", "filter", "title eq \"t\"", "sortBy", "userName", "sortOrder", "descending", "count", "2", "cursor", cursor).refused(400, fault.InvalidCursor)
	s.query("/Users", "filter", "title pr", "count", "2", "cursor", cursor).refused(400, fault.InvalidCursor)
	s.query("/Users", append(filter, "attributes", "title", "cursor", cursor)...).refused(400, fault.InvalidCursor)
	s.query("/Groups", append(filter, "cursor", cursor)...).want(400)
	for _, count := range []string{"3", "0", "-1", "11", "99999999999"} {
		s.query("/Users", "filter", "title pr", "sortBy", "userName", "sortOrder", "descending", "count", count, "cursor", cursor).refused(400, fault.InvalidCount)
	}
	s.query("/Users", "filter", "title pr", "sortBy", "userName", "sortOrder", "descending", "cursor", cursor).want(200).has("itemsPerPage", "2")
	s.query("/Users", "cursor", "", "count", "11").refused(400, fault.InvalidCount)
	s.query("/Users", append(filter, "startIndex", "1", "cursor", cursor)...).refused(400, fault.InvalidValue)
	s.token = "other"
	s.query("/Users", append(filter, "cursor", cursor)...).refused(400, fault.InvalidCursor)
	s.token = "writer"
	s.query("/Users", append(filter, "cursor", cursor)...).refused(403, "")
	s.token = "full"
	s.pass(10*time.Minute + time.Second)
	s.query("/Users", append(filter, "cursor", cursor)...).refused(400, fault.ExpiredCursor)
}

func TestSC038QueriesOverAllTypes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do("GET", "/", "").refused(400, fault.TooMany)
	s.do("POST", "/.search", `{`+searchURN+`}`).refused(400, fault.TooMany)
	for i := range 3 {
		s.user(fmt.Sprintf("u%d", i), fmt.Sprintf(`"displayName":"n%d"`, i))
	}
	s.group("n3")
	s.group("n4")
	all := []string{"filter", `displayName sw "n"`}
	if a := s.query("/", all...).has("totalResults", "5", "itemsPerPage", "5"); a.names() != "u0 u1 u2 n3 n4" {
		t.Error(a.names())
	}
	if a := s.query("", append(all, "startIndex", "3", "count", "2")...).has("totalResults", "5", "itemsPerPage", "2"); a.names() != "u2 n3" {
		t.Error(a.names())
	}
	if a := s.query("/", append(all, "startIndex", "5")...).has("totalResults", "5"); a.names() != "n4" {
		t.Error(a.names())
	}
	s.query("/", "filter", `userName eq "u1"`).has("totalResults", "1", "Resources.0.userName", "u1")
	s.query("/", "filter", `members pr`).has("totalResults", "0")
	s.query("/", "filter", `nowhere pr`).refused(400, fault.InvalidFilter)
	s.query("/", "filter", `meta.resourceType eq "Group"`).has("totalResults", "2")
	for _, count := range []string{"1", "2", "3", "4", "5"} {
		got, cursor := []string{}, ""
		for range 10 {
			a := s.query("/", append(all, "count", count, "cursor", cursor)...).want(200).has("totalResults", "5")
			got = append(got, a.names())
			if cursor, _ = a.at("nextCursor").(string); cursor == "" {
				break
			}
		}
		if text := strings.Join(got, " "); text != "u0 u1 u2 n3 n4" {
			t.Errorf("pages of %s: %s", count, text)
		}
	}
}

// TestItemsPerPageIsWhatCame is the trap of G-09.
func TestItemsPerPageIsWhatCame(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.user("a", "")
	s.query("/Users", "count", "50").has("itemsPerPage", "1")
	if a := s.query("/Groups", "count", "50"); !strings.Contains(a.text, `"Resources":[]`) {
		t.Error(a.text)
	}
}

func TestManyResourcesAreStreamed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for i := range 400 {
		s.user(fmt.Sprintf("u%03d", i), `"title":"`+strings.Repeat("x", 300)+`"`)
	}
	a := s.query("/Users", "count", "1000").want(200).has("totalResults", "400", "itemsPerPage", "400")
	if len(a.body["Resources"].([]any)) != 400 || a.header.Get("Content-Length") != "" {
		t.Error("the list is not whole, or was gathered first")
	}
	if head := s.do("HEAD", "/Users?count=1000", "").want(200); head.text != "" {
		t.Error("HEAD has a body")
	}
}
