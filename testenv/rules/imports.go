package rules

import (
	"slices"
	"strings"
)

// Layer says what a part of the tree may not import. Folders and imports are prefixes that end at a slash.
type Layer struct {
	Folder string   // the packages that the rule is about
	Except []string // folders below it that the rule is not about
	Never  []string // import paths, those of this module relative to it
	Reason string
}

// Layers are the rules of the house: dependencies point one way only, from cmd to httpapi and scim, from there to
// adapter, and from there to directory and adapter/store.
func Layers() []Layer {
	return []Layer{
		{
			Folder: "directory", Reason: "directory knows nothing of HTTP, of APIs, of the local database",
			Never: []string{"net/http", "adapter", "httpapi", "scim", "configs", "cmd", "github.com/gorilla/mux", "github.com/jackc/pgx"},
		},
		{
			Folder: "adapter/store", Reason: "the store knows nothing of LDAP",
			Never: []string{"github.com/go-ldap/ldap", "github.com/go-asn1-ber/asn1-ber", "directory", "net/http", "httpapi", "scim", "configs", "cmd"},
		},
		{
			Folder: "adapter", Except: []string{"adapter/store"}, Reason: "adapter knows no wire format and no configuration file",
			Never: []string{"net/http", "httpapi", "scim", "configs", "cmd", "github.com/go-ldap/ldap", "github.com/gorilla/mux", "encoding/xml"},
		},
		{
			Folder: "httpapi", Reason: "an API speaks to adapter only",
			Never: []string{"directory", "adapter/store", "configs", "cmd", "github.com/go-ldap/ldap", "database/sql"},
		},
		{
			Folder: "scim", Reason: "an API speaks to adapter only",
			Never: []string{"directory", "adapter/store", "configs", "cmd", "httpapi", "github.com/go-ldap/ldap", "database/sql"},
		},
		{
			Folder: "configs", Reason: "the configuration imports nothing of ours",
			Never: []string{"adapter", "directory", "httpapi", "scim", "cmd", "testenv"},
		},
	}
}

// LayerFault returns the reason why a file of the folder may not import the path, or "".
func LayerFault(layers []Layer, folder, imported string) string {
	for _, layer := range layers {
		if !below(folder, layer.Folder) || slices.ContainsFunc(layer.Except, func(e string) bool { return below(folder, e) }) {
			continue
		}
		for _, never := range layer.Never {
			if below(imported, never) || below(imported, Module+"/"+never) {
				return layer.Reason
			}
		}
	}
	if api, other := dialect(folder), dialect(strings.TrimPrefix(imported, Module+"/")); api != "" && other != "" && api != other {
		return "no API imports another API"
	}
	if below(imported, Module+"/configs") && !below(folder, "configs") && !below(folder, "cmd") {
		return "only cmd reads the configuration"
	}
	if below(imported, Module+"/testenv") && !below(folder, "testenv") {
		return "only tests use testenv"
	}
	return ""
}

// dialect is the API that a folder belongs to, or "".
func dialect(folder string) string {
	if below(folder, "scim") {
		return "scim"
	}
	rest, inside := strings.CutPrefix(folder, "httpapi/")
	if !inside {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// below tells whether a path is the folder or inside it.
func below(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}
