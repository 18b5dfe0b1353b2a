package testenv

import _ "embed"

// freeIPASchema is as much of FreeIPA's schema as its people and groups need, in the form of a schema file of 389 DS.
//
//go:embed freeipa-schema.ldif
var freeIPASchema string

// freeIPALDIF is FreeIPA's tree with what must not be seen in it: the copies that the compatibility plug-in shows, and
// people who were deleted but kept.
//
//go:embed freeipa-tree.ldif
var freeIPALDIF string
