package testenv

import _ "embed"

// rfc2307bisSchema is as much of RFC 2307bis as people and groups need (slapd itself has uidNumber and gidNumber), with posixGroup as an
// auxiliary class without memberUid as its only way of naming members.
//
//go:embed rfc2307bis.schema
var rfc2307bisSchema string
