package mirror

// The file is recognised by its application id and its version. Any change of
// the tables, of the codec or of the folding needs a new version: an older file
// is then thrown away and read again.
const (
	applicationID = 0x506d6972 // "Pmir"
	schemaVersion = 2
)

// Values of entry.list: the kind of a visible entry, and of hidden ones.
const (
	listGone     = 0  // first load only: the entry was deleted while it ran
	listPerson   = 1  // directory.KindPerson
	listGroup    = 2  // directory.KindGroup
	listShadowed = 11 // a person whose login name an earlier directory owns
)

// Values of link.rel.
const (
	relMember  = 1 // group to entry, by DN
	relByName  = 2 // group to person of the same directory, by login name
	relManager = 3 // person to entry, by DN
	relOwner   = 4 // group to entry, by DN
	relMail    = 5 // a folded mail address; never has a target
	relPrimary = 6 // primary group (0: not there) to person; the key is the group's mark
	relMark    = 7 // the mark of a group; never has a target
)

// tables: entry.path is the DN's key with the top RDN first (see keyer), name
// the login name of a person or the folded name of a group, display the folded
// display name. entry.refs is a hash of the members, empty while the stored links
// may differ from the server's (a rename or a delete that it repeats silently).
//
// A link has a target, the row of an entry, or a key that does not resolve yet:
// path, login name, address, or the id of an entry that went. Addresses come last
// in the table, so that a first load can append them.
var tables = []string{
	`CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE directory(rank INTEGER PRIMARY KEY, name TEXT NOT NULL, suffix TEXT NOT NULL,
		cookie BLOB NOT NULL DEFAULT x'', fingerprint BLOB NOT NULL DEFAULT x'',
		completed INTEGER NOT NULL DEFAULT 0, refused TEXT NOT NULL DEFAULT '')`,
	`CREATE TABLE entry(id INTEGER PRIMARY KEY AUTOINCREMENT, dir INTEGER NOT NULL, stable TEXT NOT NULL, list INTEGER NOT NULL,
		path TEXT NOT NULL, name TEXT NOT NULL, display TEXT NOT NULL,
		refs BLOB NOT NULL, body BLOB NOT NULL)`,
	`CREATE TABLE link(src INTEGER NOT NULL, rel INTEGER NOT NULL, target INTEGER NOT NULL, key TEXT NOT NULL,
		PRIMARY KEY(rel, src, target, key)) WITHOUT ROWID`,
	`CREATE INDEX entry_doubt ON entry(dir) WHERE refs=x''`,
	`CREATE VIRTUAL TABLE find_person USING fts5(text, content='', contentless_delete=1, detail=none,
		tokenize='trigram case_sensitive 1')`,
	`CREATE VIRTUAL TABLE find_group USING fts5(text, content='', contentless_delete=1, detail=none,
		tokenize='trigram case_sensitive 1')`,
}

// The secondary indexes, which a first load builds at its end. Those on entry
// come before the links are resolved, those on link after.
var (
	stableIndex  = `CREATE UNIQUE INDEX entry_stable ON entry(stable, dir)`
	entryIndexes = []string{
		`CREATE INDEX entry_path ON entry(path, dir)`,
		`CREATE INDEX entry_name ON entry(list, name, dir)`,
		`CREATE INDEX entry_display ON entry(list, display, dir, name)`,
	}
	linkIndexes = []string{
		`CREATE INDEX link_target ON link(target, rel, src) WHERE target<>0`,
		`CREATE INDEX link_key ON link(rel, key, src) WHERE target=0`,
	}
	dropIndexes = []string{
		`DROP INDEX entry_stable`, `DROP INDEX entry_path`, `DROP INDEX entry_name`, `DROP INDEX entry_display`,
		`DROP INDEX link_target`, `DROP INDEX link_key`,
	}
)
