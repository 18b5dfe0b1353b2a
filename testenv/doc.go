// Package testenv starts the real servers that the tests of this repository talk to: OpenLDAP, PostgreSQL and MariaDB, each in a
// temporary folder, on loopback ports of its own, with nothing shared with the servers of the machine. It also makes
// certificates and puts a TCP proxy with faults in between.
//
// Every server comes in two forms. The form that takes a testing.TB ([OpenLDAP], [PostgreSQL], [MariaDB]) fails the test when the
// server cannot be had and cleans up by itself. The form that returns an error ([StartOpenLDAP], [StartPostgreSQL], [StartMariaDB]) is
// for load and measuring programs, which call Close themselves. A missing program is never a reason to skip: the test
// fails and names the command that installs it.
//
// Children are killed by the kernel when the process that started them ends, in whatever way it ends, and a small
// waiting shell removes their folder. The sample directories are in the package sample, the repository's own rules in
// the package rules. Nothing here is linked into the portico binary.
package testenv
