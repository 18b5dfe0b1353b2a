package people

import (
	"errors"
	"net/http"

	"portico/adapter"
	"portico/scim/fault"
)

// names are the attributes of SCIM for what errors of the adapter name.
var names = map[string]string{
	"username": "userName", "external_id": "externalId", "extras": "", "name": "displayName", "display_name": "displayName", "common_name": "name.formatted",
	"given_name": "name.givenName", "family_name": "name.familyName", "mail": "emails", "phone": "phoneNumbers", "mobile": "phoneNumbers",
	"home_phone": "phoneNumbers", "fax": "phoneNumbers", "certificate": "x509Certificates", "employee_type": "userType",
	"language": "preferredLanguage", "employee_number": "employeeNumber", "street": "addresses", "locality": "addresses",
	"region": "addresses", "postal_code": "addresses", "country": "addresses",
}

// refusal says in SCIM's terms why a verb of the adapter failed. id is the resource that was asked for.
func refusal(err error, id string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	var e *adapter.Error
	if !errors.As(err, &e) {
		return err
	}
	field := e.Field
	if name, ok := names[field]; ok {
		field = name
	}
	out := &fault.Error{Cause: err, RetryAfter: e.RetryAfter, Detail: e.Text}
	switch e.Kind {
	case adapter.NotFound:
		out.Status, out.Detail = http.StatusNotFound, fault.NotFound(id).Detail
	case adapter.Conflict:
		return conflict(err, field)
	case adapter.Ambiguous:
		out.Status, out.Detail = http.StatusConflict, "several entries of the directory have this name"
	case adapter.Denied, adapter.Unauthenticated:
		out.Status = http.StatusForbidden
		if field == adapter.FieldReadOnly {
			out.Detail = "read-only"
		}
	case adapter.Invalid:
		return invalid(err, field, e.Text)
	case adapter.Throttled:
		out.Status, out.Detail = http.StatusTooManyRequests, "too many accounts are disabled or deleted"
	case adapter.Unavailable:
		out.Status, out.Detail = http.StatusServiceUnavailable, "the directory does not answer"
	default:
		return err
	}
	if out.Detail == "" {
		out.Detail = "the directory refuses this"
	}
	return out
}

func conflict(err error, field string) error {
	switch field {
	case adapter.FieldVersion:
		out := fault.Stale()
		out.Cause = err
		return out
	case "userName", "displayName", "externalId":
		out := fault.Taken(field)
		out.Cause = err
		return out
	}
	text := "other entries depend on this one"
	if field != "user" && field != "group" {
		text = field + " is taken"
	}
	return &fault.Error{Status: http.StatusConflict, Detail: text, Cause: err}
}

func invalid(err error, field, text string) error {
	kind := fault.InvalidValue
	switch field {
	case "filter":
		kind = fault.InvalidFilter
	case "scan":
		kind, field, text = fault.TooMany, "", "the filter goes through too many resources; narrow it, such as by an equality"
	case "cursor":
		kind = fault.InvalidCursor
	}
	if text == "" {
		text = "cannot be stored"
	}
	if field != "" {
		text = field + ": " + text
	}
	return &fault.Error{Status: http.StatusBadRequest, Type: kind, Detail: text, Cause: err}
}
