// Package writer carries out changes in one LDAP directory: people and groups
// are made, changed, renamed, disabled and deleted.
//
// It owns the order of the steps and what becomes of the ones before when a later
// one fails; what a lost answer means, which it finds out by reading; the ways in
// which servers disable accounts; and the references that a server does not keep
// right by itself. Packages below it do the rest: mapping says what is written
// where, client speaks LDAP.
//
// It knows nothing of the mirror, of identities in other directories, or of who
// asks: references and members come as DNs and login names.
package writer
