-- +goose Up

-- What clients of SCIM store of a person or a group that has no place in the
-- directory: a JSON object of attributes. revision grows with every change.
-- missing_at: since when the directory does not know the entry; 0: it does.
CREATE TABLE entry_extras (
  directory  TEXT NOT NULL,
  stable     TEXT NOT NULL,
  kind       TEXT NOT NULL,
  attributes TEXT NOT NULL DEFAULT '{}',
  revision   INTEGER NOT NULL DEFAULT 0,
  missing_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (directory, stable)
) STRICT;

-- The names that provisioning domains give to people and groups. intent is not 0
-- while a change of the directory is under way that will give the name.
CREATE TABLE external_ids (
  kind      TEXT NOT NULL,
  domain    TEXT NOT NULL,
  value     TEXT NOT NULL,
  directory TEXT NOT NULL,
  stable    TEXT NOT NULL,
  intent    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, domain, value)
) STRICT;
CREATE INDEX external_ids_entry ON external_ids (directory, stable);
CREATE INDEX external_ids_intent ON external_ids (intent) WHERE intent <> 0;

-- What a change under way does to the two tables above, as JSON, and the version
-- of the entry before it.
ALTER TABLE write_intents ADD COLUMN extras TEXT NOT NULL DEFAULT '';
ALTER TABLE write_intents ADD COLUMN version TEXT NOT NULL DEFAULT '';

-- Of keys for SCIM: what they may do, whose externalIds they see, how requests
-- are read, where they create.
ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN domain TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN profile TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN directory TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE api_keys DROP COLUMN directory;
ALTER TABLE api_keys DROP COLUMN profile;
ALTER TABLE api_keys DROP COLUMN domain;
ALTER TABLE api_keys DROP COLUMN scopes;
ALTER TABLE write_intents DROP COLUMN version;
ALTER TABLE write_intents DROP COLUMN extras;
DROP TABLE external_ids;
DROP TABLE entry_extras;
