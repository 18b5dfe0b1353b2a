// Package mapping turns what an LDAP server says into the terms of package
// directory: an entry into a person, a group or a container, a DN into a key
// that compares, stored times into an account state, a name that somebody typed
// into a search request.
//
// It owns every place where text from outside becomes part of a filter or a DN
// key, so escaping is written once. It does no input or output, keeps no state
// besides its compiled configuration, and never sees a password: attributes that
// hold credentials are refused in the configuration.
package mapping
