// Package usermanagement serves the user management API: profile, users, roles,
// public keys, projects and their assignments, in XML with dashes and in JSON
// with underscores.
//
// Callers show a personal key by Basic authentication (RFC 7617); what they may do
// is in their role. Lists are written as they are read, so that their length
// costs no memory. XML from outside is read by a strict reader: no document type,
// no entities but the five of XML, bounded in size, depth and number.
//
// Its routes may lie at the root of the host: then this package is mounted after
// everything else, and the address of a project is the last that is tried.
package usermanagement
