package scim_test

import (
	"strings"
	"testing"

	"portico/scim"
	"portico/scim/fault"
)

// TestG01ToG26Mistakes are mistakes that well-known servers make. G-01, G-07, G-14, G-23 and G-26 have tests or
// benchmarks of their own as well.
func TestG01ToG26Mistakes(t *testing.T) {
	t.Parallel()
	const search = `{` + searchURN + `,"filter":`
	for number, check := range map[string]func(s *service, user, group string){
		"G-01": func(s *service, _, _ string) {
			s.do("POST", "/Users/.search", search+`"`+strings.Repeat("(", 100_000)+`"}`).refused(400, fault.InvalidFilter)
		},
		"G-02": func(s *service, user, _ string) {
			s.query("/Users", "filter", `emails co "x"`).want(200).has("Resources.0.id", user)
		},
		"G-03": func(s *service, user, _ string) {
			s.query("/Users", "filter", `emails.value eq "a@x" and `+entURN+`:department eq "R" and meta.resourceType eq "User" and schemas eq "`+entURN+`"`).
				has("Resources.0.id", user)
		},
		"G-04": func(s *service, _, _ string) {
			s.query("/Users", "filter", `userName pr and `+entURN+`:department pr`).has("totalResults", "1")
		},
		"G-05": func(s *service, user, _ string) {
			s.do("POST", "/Users/.search", search+`"id eq \"`+user+`\" and externalId eq \"X\" and meta.created pr"}`).has("totalResults", "1")
		},
		"G-06": func(s *service, _, _ string) {
			s.query("/Users", "filter", ` emails[type eq "work" and (value co "\u0061" or value pr)].value eq "a@x" and active eq True`).has("totalResults", "1")
		},
		"G-08": func(s *service, _, _ string) {
			s.query("/Users", "sortBy", "userName", "attributes", "userName", "cursor", "").want(200).has("Resources.0.emails", nil)
		},
		"G-09": func(s *service, _, _ string) {
			s.query("/Users", "count", "9", "filter", `title eq "none"`).has("itemsPerPage", "0", "Resources.0", nil)
		},
		"G-10": func(s *service, user, group string) {
			s.do("DELETE", "/Users/"+user, "", `If-Match: "no"`).refused(412, "")
			if a := s.patch("/Groups/"+group, `{"op":"remove","path":"externalId"}`).want(204); a.header.Get("ETag") == "" {
				s.tb.Error("no ETag on 204")
			}
		},
		"G-11": func(s *service, _, _ string) {
			s.do("GET", "/ServiceProviderConfig", "").has("bulk.supported", true, "etag.supported", true, "documentationUri", nil, "meta.resourceType", "ServiceProviderConfig")
		},
		"G-12": func(s *service, _, _ string) {
			s.do("GET", "/Schemas?filter=id%20pr", "").refused(403, "")
			s.do("GET", "/ResourceTypes", "").has("totalResults", "2", "Resources.1.meta.resourceType", "ResourceType")
		},
		"G-13": func(s *service, _, _ string) {
			s.do("DELETE", "/ServiceProviderConfig", "").refused(405, "")
			s.do("HEAD", "/Users", "").want(200)
			s.do("OPTIONS", "/Users", "").want(204)
		},
		"G-15": func(s *service, _, _ string) {
			s.do("POST", "/Users", `{`+userURN+`,"userName":"q"}}`).refused(400, fault.InvalidSyntax)
			s.do("POST", "/Users", `{`+userURN+`,"userName":"q"}`, "Content-Type: text/plain").refused(415, "")
		},
		"G-16": func(s *service, _, _ string) {
			s.do("POST", "/Users", `{`+userURN+`,"userName":"q","emails":{"value":"x"}}`).refused(400, fault.InvalidValue)
		},
		"G-17": func(s *service, _, _ string) {
			s.do("POST", "/Users", `{`+userURN+`,"userName":" "}`).refused(400, fault.InvalidValue)
		},
		"G-18": func(s *service, user, _ string) {
			s.do("PATCH", "/Users/"+user, `{"schemas":["urn:x","urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
				{"op":"replace","path":"title","value":null},{"op":"add","value":{"nope":1,"schemas":[],"meta":{},"`+entURN+`":{"manager":"`+user+`"}}},
				{"op":"add","path":"`+entURN+`","value":{"division":"D"}}]}`).want(200).has("|.manager.value", user, "|.division", "D")
		},
		"G-19": func(s *service, user, _ string) {
			s.patch("/Users/"+user, `{"op":"remove","path":"groups"}`).refused(400, fault.Mutability)
			s.patch("/Users/"+user, `{"op":"remove","path":"userName"}`).refused(400, fault.Mutability)
		},
		"G-20": func(s *service, user, _ string) {
			s.patch("/Users/"+user, `{"op":"add","path":"emails","value":[{"value":"b","primary":true},{"value":"c","primary":true}]}`).refused(400, fault.InvalidValue)
			s.patch("/Users/"+user, `{"op":"add","path":"emails","value":[{"value":"A@X","type":"work"}]}`).has("emails.1", nil)
		},
		"G-21": func(s *service, user, _ string) {
			s.do("GET", "/Users/"+user, "").has("schemas.1", entURN, "schemas.2", nil)
		},
		"G-22": func(s *service, user, _ string) {
			if a := s.do("GET", "/Users/"+user, "").has("meta.created", "2026-03-01T08:00:00.123Z", "meta.location", base+"/Users/"+user); a.header.Get("Content-Location") != base+"/Users/"+user {
				s.tb.Error(a.header)
			}
		},
		"G-24": func(s *service, _, _ string) {
			if a := s.do("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", ""); !strings.Contains(a.text, `"$ref"`) || !strings.Contains(a.text, `"caseExact":true`) {
				s.tb.Error(a.text)
			}
		},
		"G-25": func(s *service, _, _ string) {
			s.query("/", "filter", "id pr").has("totalResults", "2")
		},
	} {
		t.Run(number, func(t *testing.T) {
			t.Parallel()
			s := newService(t, func(*scim.Config) {})
			user := s.user("ada", `"externalId":"X","emails":[{"value":"a@x","type":"work"}],"`+entURN+`":{"department":"R"}`)
			check(s, user, s.group("ops", user))
		})
	}
}
