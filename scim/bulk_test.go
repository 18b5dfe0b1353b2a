package scim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"portico/scim"
	"portico/scim/fault"
)

// bulk sends operations.
func (s *service) bulk(operations string, more ...string) *answer {
	s.tb.Helper()
	return s.do("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],`+strings.Join(more, "")+`"Operations":[`+operations+`]}`)
}

func TestSC055Bulk(t *testing.T) {
	t.Parallel()
	s := newService(t)
	bob := s.user("bob", "")
	tag := s.do("GET", "/Users/"+bob, "").header.Get("ETag")
	// The group stands before the people whom it refers to.
	a := s.bulk(`{"method":"POST","path":"/Groups","bulkId":"g","data":{` + groupURN + `,"displayName":"ops","members":[{"value":"bulkId:u"},{"value":"` + bob + `"}]}},
		{"method":"POST","path":"/Users","bulkId":"u","data":{` + userURN + `,"userName":"ada","` + entURN + `":{"manager":{"value":"bulkId:v"}}}},
		{"method":"POST","path":"/Users","bulkId":"v","data":{` + userURN + `,"userName":"boss"}},
		{"method":"PATCH","path":"/Users/bulkId:v","data":{"Operations":[{"op":"add","path":"title","value":"B"}]}},
		{"method":"PATCH","path":"/Users/bulkId:u","data":[{"op":"add","path":"title","value":"U"}]},
		{"method":"PUT","path":"/Users/` + bob + `","version":` + fmt.Sprintf("%q", tag) + `,"data":{` + userURN + `,"userName":"bobby"}},
		{"method":"DELETE","path":"/Users/` + bob + `","version":"W/\"old\""},
		{"method":"POST","path":"/Users","bulkId":"w","data":{` + userURN + `,"userName":"BOSS"}},
		{"method":"DELETE","path":"/Users/` + bob + `"}`).want(200)
	a.has("schemas.0", "urn:ietf:params:scim:api:messages:2.0:BulkResponse")
	for i, want := range []string{"201", "201", "201", "200", "200", "200", "412", "409", "204"} {
		a.has(fmt.Sprintf("Operations.%d.status", i), want)
	}
	a.has("Operations.0.bulkId", "g", "Operations.0.method", "POST", "Operations.7.location", nil, "Operations.7.response.scimType", "uniqueness",
		"Operations.6.response.status", "412", "Operations.8.location", base+"/Users/"+bob)
	ada := s.query("/Users", "filter", `userName eq "ada"`).has("Resources.0.title", "U")
	boss := s.query("/Users", "filter", `userName eq "boss"`).has("Resources.0.title", "B").at("Resources.0.id")
	ada.has("Resources.0.|.manager.value", boss, "Resources.0.groups.0.display", "ops")
	if location, version := a.at("Operations.0.location"), a.at("Operations.0.version"); location != s.query("/Groups").at("Resources.0.meta.location") ||
		!strings.HasPrefix(version.(string), `W/"`) {
		t.Error(location, version)
	}
}

func TestSC055BulkCycles(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a := s.bulk(`{"method":"POST","path":"/Groups","bulkId":"a","data":{` + groupURN + `,"displayName":"A","members":[{"value":"bulkId:b"}]}},
		{"method":"POST","path":"/Groups","bulkId":"b","data":{` + groupURN + `,"displayName":"B","members":[{"value":"bulkId:c"}]}},
		{"method":"POST","path":"/Groups","bulkId":"c","data":{` + groupURN + `,"displayName":"C","members":[{"value":"bulkId:a"}]}},
		{"method":"POST","path":"/Groups","bulkId":"self","data":{` + groupURN + `,"displayName":"S","members":[{"value":"bulkId:self"}]}},
		{"method":"PATCH","path":"/Groups/bulkId:a","data":{"Operations":[{"op":"remove","path":"members[value eq \"bulkId:nobody\"]"}]}},
		{"method":"POST","path":"/Groups","bulkId":"d","data":{` + groupURN + `,"displayName":"D","members":[{"value":"bulkId:self"}]}}`).want(200)
	for i, want := range []string{"201", "201", "201", "409", "409", "409"} {
		a.has(fmt.Sprintf("Operations.%d.status", i), want)
	}
	ids := map[string]string{}
	for _, name := range []string{"A", "B", "C"} {
		ids[name] = s.query("/Groups", "filter", `displayName eq "`+name+`"`).at("Resources.0.id").(string)
	}
	for group, member := range map[string]string{"A": "B", "B": "C", "C": "A"} {
		if got := s.members(ids[group]); got != ids[member] {
			t.Errorf("%s has %s", group, got)
		}
	}
	s.query("/Groups").has("totalResults", "3")
}

func TestSC055BulkStopsAndLimits(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.BulkOperations, c.BulkPayload = 5, 4096 })
	bad := `{"method":"POST","path":"/Users","bulkId":"%d","data":{` + userURN + `}},`
	good := `{"method":"POST","path":"/Users","bulkId":"ok","data":{` + userURN + `,"userName":"u"}}`
	a := s.bulk(fmt.Sprintf(bad, 1)+fmt.Sprintf(bad, 2)+good, `"failOnErrors":2,`).want(200)
	a.has("Operations.0.status", "400", "Operations.1.response.scimType", "invalidValue", "Operations.2", nil)
	s.bulk(fmt.Sprintf(bad, 1)+fmt.Sprintf(bad, 2)+good, `"failOnErrors":3,`).want(200).has("Operations.2.status", "201")
	s.bulk(strings.Repeat(good+",", 5)+good).refused(413, "")
	s.bulk(`{"method":"POST","path":"/Users","bulkId":"ok","data":{`+userURN+`,"userName":"`+strings.Repeat("x", 5000)+`"}}`).refused(413, "")
	s.query("/Users").has("totalResults", "1")
	s.bulk("").refused(400, fault.InvalidSyntax)
	s.bulk(good, `"failOnErrors":0,`).refused(400, fault.InvalidValue)
	s.do("POST", "/Bulk", `{`+userURN+`,"Operations":[]}`).refused(400, fault.InvalidSyntax)
	for _, wrong := range []string{
		`"x"`, `{"method":"GET","path":"/Users/u"}`, `{"method":"POST","path":"/Users","data":{}}`, `{"method":"POST","path":"/Users/x","bulkId":"q","data":{}}`,
		`{"method":"DELETE","path":"/Users"}`, `{"method":"POST","path":"/Bulk","bulkId":"q","data":{}}`, `{"method":"PATCH","path":"/Users/u"}`,
		`{"method":"PUT","path":"/Users/u","version":"old","data":{` + userURN + `,"userName":"x"}}`,
	} {
		a := s.bulk(wrong).want(200)
		if status, _ := a.at("Operations.0.status").(string); !strings.HasPrefix(status, "4") {
			t.Errorf("%s: %s", wrong, a.text)
		}
	}
	twice := s.bulk(good + "," + good).want(200)
	twice.has("Operations.1.status", "400")
}

func TestBulkChecksScopes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.token = "nopassword"
	s.bulk(`{"method":"POST","path":"/Users","bulkId":"1","data":{`+userURN+`,"userName":"u","password":"x"}}`).has("Operations.0.status", "403")
	s.token = "full"
	s.memory.fail = errors.New("ldap://secret.host: cn=admin")
	a := s.bulk(`{"method":"POST","path":"/Users","bulkId":"1","data":{`+userURN+`,"userName":"u"}}`).has("Operations.0.status", "500")
	if strings.Contains(a.text, "secret.host") {
		t.Error(a.text)
	}
}
