// Package integration serves the members and teams API: an information page for
// people, and four resources that trusted programs call with a key in the body.
//
// Every answer but 200 is a line of plain text. Nothing is redirected, nothing is
// cached, and no call leaves a session behind. The prefix holds a dollar sign,
// which clients send as it is or encoded; with and without a slash at the end it
// is the same resource.
//
// What members and teams are, and whether a password is right, is decided by
// package adapter.
package integration
