// Package embedded is a small LDAPv3 server inside this process: a tree in
// memory, spoken to over real TCP connections like any other directory. The
// demo runs on it, and tests use its fault hooks for answers that real servers
// cannot be made to give.
//
// It owns the protocol (RFC 4511 and the controls it announces in its root
// DSE), a schema of people and groups with its matching rules, the account
// state of OpenLDAP's password policy, content synchronization (RFC 4533) and
// the sample data of the demo. Where the RFCs leave room it does as OpenLDAP
// does; the tests run the same scripts against both, so that it is never the
// kinder one.
//
// It does not own anything a program would want from a directory that lasts:
// no disk, no replication, no access rules beyond "services, people, nobody".
// Nothing else in Portico may depend on it but the demo and tests.
package embedded
