// Package console serves the pages for people: the browser sign-in that
// applications send people through, a landing page, and self service (PIN,
// authentication codes, app passwords, phones, notifications, password, sign-in
// history).
//
// Pages are made on the server and work without any script. Every change is a
// POST that the standard library's CrossOriginProtection let through; a session
// is a random token in a cookie, its data lies encrypted in the database, and
// each request asks anew whether the person may still sign in.
//
// It decides nothing about passwords, codes or accounts: that is the adapter's.
// Every route is in the table in routes.go, which the tests walk.
package console
