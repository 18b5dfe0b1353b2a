package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"portico/scim/fault"
	"portico/scim/schema"
)

// discovery holds what the service says of itself. All of it is rendered once, when the service is made.
type discovery struct {
	config    []byte
	openAPI   []byte
	types     []byte            // the list
	schemas   []byte            // the list
	oneType   map[string][]byte // by lower-case name
	oneSchema map[string][]byte // by lower-case URN
}

// supported is a feature that is there or not.
type supported struct {
	Supported bool `json:"supported"`
}

type wireMeta struct {
	ResourceType string `json:"resourceType"`
	Location     string `json:"location"`
}

// serviceConfig is the body of ServiceProviderConfig (RFC 7643 section 5, RFC 9865 section 4).
type serviceConfig struct {
	Schemas       []string  `json:"schemas"`
	Documentation string    `json:"documentationUri,omitempty"`
	Patch         supported `json:"patch"`
	Bulk          struct {
		supported
		MaxOperations  int   `json:"maxOperations"`
		MaxPayloadSize int64 `json:"maxPayloadSize"`
	} `json:"bulk"`
	Filter struct {
		supported
		MaxResults int `json:"maxResults"`
	} `json:"filter"`
	ChangePassword supported `json:"changePassword"`
	Sort           supported `json:"sort"`
	ETag           supported `json:"etag"`
	Pagination     struct {
		Cursor  bool   `json:"cursor"`
		Index   bool   `json:"index"`
		Method  string `json:"defaultPaginationMethod"`
		Default int    `json:"defaultPageSize"`
		Max     int    `json:"maxPageSize"`
		Timeout int    `json:"cursorTimeout"`
	} `json:"pagination"`
	Authentication []authenticationScheme `json:"authenticationSchemes"`
	Meta           wireMeta               `json:"meta"`
}

type authenticationScheme struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Description string `json:"description"`
	SpecURI     string `json:"specUri"`
	Primary     bool   `json:"primary"`
}

// wireType is the body of a resource type (RFC 7643 section 6).
type wireType struct {
	Schemas     []string        `json:"schemas"`
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Endpoint    string          `json:"endpoint"`
	Schema      string          `json:"schema"`
	Extensions  []wireExtension `json:"schemaExtensions,omitempty"`
	Meta        wireMeta        `json:"meta"`
}

type wireExtension struct {
	Schema   string `json:"schema"`
	Required bool   `json:"required"`
}

func newDiscovery(cfg *Config, kinds []*kind) (*discovery, error) {
	d := &discovery{oneType: map[string][]byte{}, oneSchema: map[string][]byte{}}
	var err error
	if d.config, err = json.Marshal(configOf(cfg, kinds)); err != nil {
		return nil, fmt.Errorf("scim: discovery: %w", err)
	}
	if d.openAPI, err = describe(cfg, kinds); err != nil {
		return nil, err
	}
	builtin, err := schema.LoadBuiltin()
	if err != nil {
		return nil, fmt.Errorf("scim: discovery: %w", err)
	}
	var types, schemas [][]byte
	add := func(s *schema.Schema) error {
		lower := strings.ToLower(s.ID)
		if d.oneSchema[lower] != nil {
			return nil
		}
		text, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("scim: discovery: %w", err)
		}
		meta, _ := json.Marshal(wireMeta{"Schema", cfg.BaseURL + "/Schemas/" + s.ID}) // of strings only
		text = append(append(text[:len(text)-1], `,"meta":`...), meta...)
		d.oneSchema[lower] = append(text, '}')
		schemas = append(schemas, d.oneSchema[lower])
		return nil
	}
	for _, k := range kinds {
		text, err := json.Marshal(typeOf(cfg, k.Type))
		if err != nil {
			return nil, fmt.Errorf("scim: discovery: %w", err)
		}
		d.oneType[strings.ToLower(k.Type.Name)] = text
		types = append(types, text)
		for _, s := range k.Type.Schemas() {
			if err := add(s); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range []*schema.Schema{builtin.ServiceProviderConfig, builtin.ResourceType, builtin.Schema} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	d.types, d.schemas = listOf(types), listOf(schemas)
	return d, nil
}

// configOf says what the service offers: what it refuses to do is not offered.
func configOf(cfg *Config, kinds []*kind) *serviceConfig {
	write := !cfg.ReadOnly
	c := &serviceConfig{
		Schemas: []string{schema.ServiceProviderConfigID}, Documentation: cfg.Documentation,
		Patch: supported{write}, Sort: supported{true}, ETag: supported{true},
		Authentication: []authenticationScheme{{
			Type: "oauthbearertoken", Name: "Bearer", Description: "Bearer token, made by the administrator of this service",
			SpecURI: "https://www.rfc-editor.org/info/rfc6750", Primary: true,
		}},
		Meta: wireMeta{"ServiceProviderConfig", cfg.BaseURL + "/ServiceProviderConfig"},
	}
	for _, k := range kinds {
		if a := k.Type.Core.Attribute("password"); a != nil && k.Type.Name == "User" {
			c.ChangePassword.Supported = write
		}
	}
	c.Bulk.Supported, c.Bulk.MaxOperations, c.Bulk.MaxPayloadSize = write, cfg.BulkOperations, cfg.BulkPayload
	c.Filter.Supported, c.Filter.MaxResults = true, cfg.MaxPage
	page := &c.Pagination
	page.Cursor, page.Index, page.Method = true, true, "index"
	page.Default, page.Max, page.Timeout = cfg.PageSize, cfg.MaxPage, int(cfg.CursorTTL.Seconds())
	return c
}

func typeOf(cfg *Config, t *schema.Type) *wireType {
	w := &wireType{
		Schemas: []string{schema.ResourceTypeID}, ID: t.Name, Name: t.Name, Description: t.Description, Endpoint: t.Endpoint,
		Schema: t.Core.ID, Meta: wireMeta{"ResourceType", cfg.BaseURL + "/ResourceTypes/" + t.Name},
	}
	for _, e := range t.Extensions {
		w.Extensions = append(w.Extensions, wireExtension{e.Schema.ID, e.Required})
	}
	return w
}

// listOf renders a ListResponse of rendered resources.
func listOf(resources [][]byte) []byte {
	out := fmt.Appendf(nil, `{"schemas":["%s"],"totalResults":%d,"itemsPerPage":%d,"startIndex":1,"Resources":[`,
		listURN, len(resources), len(resources))
	for i, r := range resources {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, r...)
	}
	return append(out, "]}"...)
}

// findDiscovery gives the routes of discovery; nil when the path is none of them.
func (s *Service) findDiscovery(first, second string, deeper bool) *route {
	d := s.discovery
	get := func(body []byte, filterRefused bool) *route {
		return newRoute("discovery", handlers{http.MethodGet: func(x *exchange) error {
			if _, asked := x.query["filter"]; asked && filterRefused {
				return fault.New(http.StatusForbidden, "", "this list cannot be filtered")
			}
			if body == nil {
				return fault.NotFound(second)
			}
			x.s.write(x.w, x.r, http.StatusOK, body)
			return nil
		}})
	}
	switch {
	case first == "openapi.json" && !deeper:
		return newRoute("discovery", handlers{http.MethodGet: func(x *exchange) error {
			x.s.writeAs(x.w, x.r, "application/json", http.StatusOK, d.openAPI)
			return nil
		}})
	case first == "ServiceProviderConfig" && !deeper:
		return get(d.config, false)
	case first == "ResourceTypes" && !deeper:
		return get(d.types, true)
	case first == "ResourceTypes":
		return get(d.oneType[strings.ToLower(second)], true)
	case first == "Schemas" && !deeper:
		return get(d.schemas, true)
	case first == "Schemas":
		return get(d.oneSchema[strings.ToLower(second)], true)
	}
	return nil
}
