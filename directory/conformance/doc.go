// Package conformance holds one suite of tests for directories and runs it
// against every kind of server: OpenLDAP with the layouts of RFC 2307 and RFC
// 2307bis, 389 Directory Server, the layout of FreeIPA on it, Active Directory
// (played by Samba), and the embedded directory.
//
// The suite stands on the whole of Portico's directory side: the preset of the
// server as configurations name it, connections, mapping, feed, mirror and
// population. What differs between servers is in their fixtures: how one is
// started and stopped, how its entries are written, which states of an account
// it knows, and which cases do not apply to it. The package has no code of its
// own; all of it is in its tests.
package conformance
