package scim

import (
	"encoding/json"
	"net/http"
	"strconv"

	"portico/scim/fault"
)

// contentType is that of every answer.
const contentType = "application/scim+json"

// The URNs of messages.
const (
	errorURN  = "urn:ietf:params:scim:api:messages:2.0:Error"
	listURN   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	bulkURN   = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkedURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// wireError is the body of a refusal (RFC 7644 section 3.12).
type wireError struct {
	Schemas []string   `json:"schemas"`
	Status  string     `json:"status"`
	Type    fault.Type `json:"scimType,omitempty"`
	Detail  string     `json:"detail,omitempty"`
}

func errorBody(e *fault.Error) wireError {
	return wireError{Schemas: []string{errorURN}, Status: strconv.Itoa(e.Status), Type: e.Type, Detail: e.Detail}
}

// refuse is the one place where errors are written. What clients may not see is logged here.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := fault.Of(err)
	if e.Status >= http.StatusInternalServerError {
		s.deps.Log.ErrorContext(r.Context(), "SCIM request failed", "error", err.Error())
	} else if e.Cause != nil {
		s.deps.Log.InfoContext(r.Context(), "SCIM request refused", "error", err.Error())
	}
	h := w.Header()
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+999_999_999)/1_000_000_000)))
	} else if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	if e.Status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close")
	}
	body, _ := json.Marshal(errorBody(e)) // of strings only
	s.write(w, r, e.Status, body)
}

// WriteFailure answers for a request whose handler broke, or that never reached it.
func (s *Service) WriteFailure(w http.ResponseWriter, r *http.Request, status int, _ string) {
	s.refuse(w, r, fault.New(status, "", "%s", http.StatusText(status)))
}

// write sends an answer; nil is no body.
func (s *Service) write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	s.writeAs(w, r, contentType, status, body)
}

func (s *Service) writeAs(w http.ResponseWriter, r *http.Request, mediaType string, status int, body []byte) {
	h := w.Header()
	if body == nil {
		w.WriteHeader(status)
		return
	}
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away is nobody to tell
	}
}
