package scim

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"portico/scim/schema"
)

// The two halves of the description: what is there whatever the resource types, and what each type adds.
var (
	//go:embed openapi.yaml
	openAPIBase []byte
	//go:embed openapi-type.yaml
	openAPIType string
)

// tree is a part of a description.
type tree = map[string]any

// describe makes the OpenAPI document of the service as it is configured.
func describe(cfg *Config, kinds []*kind) ([]byte, error) {
	doc := tree{}
	if err := yaml.Unmarshal(openAPIBase, &doc); err != nil {
		return nil, fmt.Errorf("scim: description: %w", err)
	}
	doc["servers"] = []any{tree{"url": cfg.BaseURL}}
	for _, k := range kinds {
		part := tree{}
		text := strings.NewReplacer("NAME", k.Type.Name, "ENDPOINT", k.Type.Endpoint).Replace(openAPIType)
		if err := yaml.Unmarshal([]byte(text), &part); err != nil {
			return nil, fmt.Errorf("scim: description: %w", err)
		}
		join(doc, part)
		join(doc, tree{"components": tree{"schemas": tree{k.Type.Name: resourceSchema(k.Type)}}})
	}
	refusals := tree{}
	for _, path := range doc["paths"].(tree) {
		finishPath(path.(tree), refusals)
	}
	join(doc, tree{"components": tree{"responses": refusals}})
	return json.Marshal(doc)
}

// join puts one tree into another.
func join(into, from tree) {
	for name, value := range from {
		old, both := into[name].(tree)
		inner, is := value.(tree)
		if both && is {
			join(old, inner)
			continue
		}
		into[name] = value
	}
}

// finishPath adds to the operations of a path the refusals that they list, HEAD and OPTIONS.
func finishPath(path, refusals tree) {
	for _, method := range []string{"get", "post", "put", "patch", "delete"} {
		operation, ok := path[method].(tree)
		if !ok {
			continue
		}
		operation = maps.Clone(operation) // it may be shared with another path
		path[method] = operation
		responses := maps.Clone(operation["responses"].(tree))
		list, _ := operation["refusals"].([]any)
		for _, status := range list {
			responses[strconv.Itoa(status.(int))] = refusal(status.(int), refusals)
		}
		operation["responses"] = responses
		delete(operation, "refusals")
		if method == "get" {
			head := maps.Clone(operation)
			head["operationId"] = strings.Replace(operation["operationId"].(string), "get", "head", 1) + "Head"
			head["summary"] = "As GET, without the body"
			path["head"] = head
		}
	}
	path["options"] = tree{
		"summary": "The methods that the path knows",
		"responses": tree{
			"204": tree{"description": "See Allow", "headers": tree{"Allow": tree{"schema": tree{"type": "string"}}}},
			"401": refusal(http.StatusUnauthorized, refusals), "405": refusal(http.StatusMethodNotAllowed, refusals),
		},
	}
}

// refusal gives the reference to the answer with a status, and makes it.
func refusal(status int, refusals tree) tree {
	name := "E" + strconv.Itoa(status)
	answer := tree{
		"description": http.StatusText(status),
		"content":     tree{contentType: tree{"schema": tree{"$ref": "#/components/schemas/Error"}}},
	}
	header := map[int]string{
		http.StatusUnauthorized: "WWW-Authenticate", http.StatusMethodNotAllowed: "Allow",
		http.StatusTooManyRequests: "Retry-After", http.StatusServiceUnavailable: "Retry-After",
	}[status]
	if header != "" {
		answer["headers"] = tree{header: tree{"required": true, "schema": tree{"type": "string"}}}
	}
	refusals[name] = answer
	return tree{"$ref": "#/components/responses/" + name}
}

// resourceSchema is what answers hold of a type.
func resourceSchema(t *schema.Type) tree {
	urns := []any{t.Core.ID}
	properties := tree{
		"id": tree{"type": "string", "minLength": 1}, "externalId": tree{"type": "string", "minLength": 1},
		"meta": tree{
			"type": "object", "additionalProperties": false, "properties": tree{
				"resourceType": tree{"const": t.Name}, "location": tree{"type": "string", "format": "uri"},
				"created": instant(), "lastModified": instant(), "version": tree{"type": "string", "pattern": `^W/"[!-~]+"$`},
			},
		},
	}
	for _, a := range t.Core.Attributes {
		describeAttribute(properties, a)
	}
	for _, e := range t.Extensions {
		inner := tree{}
		for _, a := range e.Schema.Attributes {
			describeAttribute(inner, a)
		}
		properties[e.Schema.ID] = tree{"type": "object", "additionalProperties": false, "minProperties": 1, "properties": inner}
		urns = append(urns, e.Schema.ID)
	}
	properties["schemas"] = tree{
		"type": "array", "uniqueItems": true, "items": tree{"enum": urns}, "contains": tree{"const": t.Core.ID},
	}
	return tree{
		"type": "object", "description": t.Description, "additionalProperties": false,
		"required": []any{"schemas", "id"}, "properties": properties,
	}
}

// describeAttribute adds an attribute that answers can have.
func describeAttribute(properties tree, a *schema.Attribute) {
	if a.Returned == schema.Never || a.Name == "schemas" || a.Name == "meta" || a.Name == "id" || a.Name == "externalId" {
		return
	}
	one := valueSchema(a)
	if a.Multi {
		one = tree{"type": "array", "minItems": 1, "items": one}
	}
	if a.Description != "" {
		one["description"] = a.Description
	}
	if a.Mutability == schema.ReadOnly {
		one["readOnly"] = true
	}
	properties[a.Name] = one
}

func valueSchema(a *schema.Attribute) tree {
	switch a.Kind {
	case schema.Boolean:
		return tree{"type": "boolean"}
	case schema.Integer:
		return tree{"type": "integer"}
	case schema.Decimal:
		return tree{"type": "number"}
	case schema.DateTime:
		return tree{"type": "string", "format": "date-time"}
	case schema.Reference:
		return tree{"type": "string", "format": "uri-reference"}
	case schema.Binary:
		return tree{"type": "string", "contentEncoding": "base64"}
	case schema.Complex:
		inner := tree{}
		for _, sub := range a.Subs {
			describeAttribute(inner, sub)
		}
		return tree{"type": "object", "additionalProperties": false, "minProperties": 1, "properties": inner}
	}
	return tree{"type": "string", "minLength": 1}
}

// instant is the form of times that this service makes.
func instant() tree {
	return tree{"type": "string", "pattern": `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`}
}
