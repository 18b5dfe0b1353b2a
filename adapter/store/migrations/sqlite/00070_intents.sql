-- +goose Up

-- Changes of a directory that are under way. A row is written before the
-- directory is asked and ended together with what follows locally, so that a
-- process that dies in between leaves a trace. closes: the person keeps out
-- meanwhile. owner and lease_until: which process works on it, and until when it
-- is believed to live. Times are microseconds since 1970; ended_at 0 is not yet.
CREATE TABLE write_intents (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT NOT NULL,
  closes      INTEGER NOT NULL DEFAULT 0,
  uid         INTEGER NOT NULL DEFAULT 0,
  directory   TEXT NOT NULL DEFAULT '',
  stable      TEXT NOT NULL DEFAULT '',
  name        TEXT NOT NULL DEFAULT '',
  dn          TEXT NOT NULL DEFAULT '',
  actor       TEXT NOT NULL DEFAULT '',
  address     TEXT NOT NULL DEFAULT '',
  request_id  TEXT NOT NULL DEFAULT '',
  owner       TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX write_intents_open ON write_intents (lease_until) WHERE ended_at = 0;
CREATE INDEX write_intents_person ON write_intents (uid) WHERE ended_at = 0;
CREATE INDEX write_intents_actor ON write_intents (actor, created_at) WHERE closes = 1;

-- Not 0: the person's account is being closed.
ALTER TABLE locals ADD COLUMN closing INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE locals DROP COLUMN closing;
DROP TABLE write_intents;
