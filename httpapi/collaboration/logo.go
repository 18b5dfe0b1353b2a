package collaboration

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// logo serves a picture to everybody (L1). It is one that was made here, and is
// told to the browser as nothing else.
func (a *API) logo(x *call) error {
	kind, uuid4 := x.vars["type"], x.identifier("uuid4")
	switch kind {
	case "collaborations", "organisations", "services":
	default:
		return bad("type", "there are no pictures of this type")
	}
	if uuid4 == "none" {
		return bad("uuid4", "the name of a picture is a UUID")
	}
	data, mediaType, err := a.adapter.Logo(x.Context(), kind, uuid4)
	if err != nil {
		return err
	}
	x.kind = mediaType
	x.headers = map[string]string{
		"Cache-Control":               "public, max-age=31536000, immutable",
		"Access-Control-Allow-Origin": "*",
		"Content-Security-Policy":     "default-src 'none'; sandbox",
		"Content-Disposition":         "inline",
	}
	return x.answer(http.StatusOK, data)
}

// conditional answers 304 to a client that has these bytes, and compresses for
// one that can read it.
func (a *API) conditional(x *call, body []byte) error {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	x.headers = map[string]string{"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Authorization"}
	for have := range strings.SplitSeq(x.Header.Get("If-None-Match"), ",") {
		if have = strings.TrimPrefix(strings.TrimSpace(have), "W/"); have == tag || have == "*" {
			return x.answer(http.StatusNotModified, nil)
		}
	}
	const worth = 1400
	if len(body) < worth || !acceptsGzip(x.Header.Get("Accept-Encoding")) {
		return x.answer(http.StatusOK, body)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	x.headers["Content-Encoding"] = "gzip"
	x.headers["ETag"] = "W/" + tag
	return x.answer(http.StatusOK, packed.Bytes())
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && !strings.HasPrefix(weight, "q=0.0")
		}
	}
	return false
}
