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

// Bits of entry.several: the column does not hold all that the attribute says,
// because there are more values or a very long one.
const (
	severalNames = 1 << iota
	severalGiven
	severalFamily
)

// forever is entry.ends of an account without end, and entry.starts of one that
// is disabled.
const forever = 1<<63 - 1

// noValue stands for "no value" in columns that lists are sorted by: SQLite sorts
// it after every number and every text.
var noValue = []byte{}

// tables: entry.path is the DN's key with the top RDN first (see keyer), name
// the folded login name of a person or name of a group, display, given and family
// the folded first values, created, modified, starts and ends Unix nanoseconds
// (the last two: when an account is active, see directory.Activity). entry.refs is a hash of the members, empty while the stored links
// may differ from the server's (a rename or a delete that it repeats silently).
//
// A link has a target, the row of an entry, or a key that does not resolve yet:
// path, login name, address, or the id of an entry that went. Addresses come last
// in the table, so that a first load can append them.
var tables = []string{
	`CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE directory(rank INTEGER PRIMARY KEY, name TEXT NOT NULL, suffix TEXT NOT NULL,
		cookie BLOB NOT NULL DEFAULT x'', fingerprint BLOB NOT NULL DEFAULT x'',
		completed INTEGER NOT NULL DEFAULT 0, refused TEXT NOT NULL DEFAULT '', rules TEXT NOT NULL DEFAULT '')`,
	`CREATE TABLE entry(id INTEGER PRIMARY KEY AUTOINCREMENT, dir INTEGER NOT NULL, stable TEXT NOT NULL, list INTEGER NOT NULL,
		path TEXT NOT NULL, name TEXT NOT NULL, display TEXT NOT NULL, given TEXT NOT NULL, family TEXT NOT NULL,
		created INTEGER NOT NULL, modified INTEGER NOT NULL, starts INTEGER NOT NULL, ends INTEGER NOT NULL,
		several INTEGER NOT NULL, refs BLOB NOT NULL, body BLOB NOT NULL)`,
	`CREATE TABLE tally(dir INTEGER NOT NULL, list INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(dir, list)) WITHOUT ROWID`,
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
	}
	linkIndexes = []string{
		`CREATE INDEX link_target ON link(target, rel, src) WHERE target<>0`,
		`CREATE INDEX link_key ON link(rel, key, src) WHERE target=0`,
	}
	dropIndexes = []string{
		`DROP INDEX entry_stable`, `DROP INDEX entry_path`, `DROP INDEX entry_name`,
		`DROP INDEX link_target`, `DROP INDEX link_key`, `DROP TRIGGER tally_in`, `DROP TRIGGER tally_out`, `DROP TRIGGER tally_move`,
	}

	// tallies keep the number of entries of each directory and kind.
	tallies = []string{
		`DELETE FROM tally`,
		`INSERT INTO tally SELECT dir, list, count(*) FROM entry GROUP BY dir, list`,
		`CREATE TRIGGER tally_in AFTER INSERT ON entry BEGIN
			INSERT INTO tally VALUES(new.dir, new.list, 1) ON CONFLICT DO UPDATE SET n=n+1; END`,
		`CREATE TRIGGER tally_out AFTER DELETE ON entry BEGIN
			UPDATE tally SET n=n-1 WHERE dir=old.dir AND list=old.list; END`,
		`CREATE TRIGGER tally_move AFTER UPDATE OF list ON entry WHEN old.list<>new.list BEGIN
			UPDATE tally SET n=n-1 WHERE dir=old.dir AND list=old.list;
			INSERT INTO tally VALUES(new.dir, new.list, 1) ON CONFLICT DO UPDATE SET n=n+1; END`,
	}
)

// listIndexes serve sorted lists and filters. A first load leaves them to be
// built after it, one by one, while the mirror is in use already (see buildLists).
var listIndexes = []struct{ name, on string }{
	{"entry_list", "entry(list, stable, dir)"},
	{"entry_limited", "entry(list, starts, ends) WHERE starts<>0 OR ends<>9223372036854775807"},
	{"entry_several", "entry(list, several) WHERE several<>0"},
	{"entry_display", "entry(list, display, stable, dir, name)"},
	{"entry_given", "entry(list, given, stable, dir)"},
	{"entry_family", "entry(list, family, stable, dir)"},
	{"entry_created", "entry(list, created, stable, dir)"},
	{"entry_modified", "entry(list, modified, stable, dir)"},
}
