// Package feed follows the changes of one directory and writes them into the read
// model. It owns when to read everything, when to go on from where it stopped, and
// when an entry that was not heard of may be deleted.
//
// There is one implementation for each mechanism: syncrepl (RFC 4533, refresh and
// persist), ad (Active Directory's change numbers, deleted objects included; why
// not DirSync is told at the type ad) and poll (by time of modification, with a
// sweep of ids for deletions). "auto" picks by what the server says of
// itself. Every feed reconnects by itself, never empties what is already there,
// and deletes what was not mentioned only after a read that was proven complete.
//
// It knows nothing of connections (package client), of attributes (package
// mapping) or of how entries are kept (package mirror): the interfaces Directory
// and Store say what it needs of them.
package feed
