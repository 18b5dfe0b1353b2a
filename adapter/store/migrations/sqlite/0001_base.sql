-- +goose Up

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;

-- Numeric ids. A counter only ever grows; the row of a counter is also the lock
-- under which ids are given out.
CREATE TABLE id_counters (
  kind    TEXT PRIMARY KEY,
  next_id INTEGER NOT NULL CHECK (next_id BETWEEN 1 AND 2147483648)
) STRICT;
INSERT INTO id_counters (kind, next_id) VALUES ('person', 1), ('group', 1);

CREATE TABLE person_ids (
  id         INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 2147483647),
  directory  TEXT NOT NULL,
  stable     TEXT NOT NULL,
  name       TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  UNIQUE (directory, stable)
) STRICT;

CREATE TABLE group_ids (
  id         INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 2147483647),
  directory  TEXT NOT NULL,
  stable     TEXT NOT NULL,
  name       TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  UNIQUE (directory, stable)
) STRICT;

-- Ids that somebody had once and that nobody may ever get again.
CREATE TABLE retired_ids (
  kind       TEXT NOT NULL,
  id         INTEGER NOT NULL,
  retired_at INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT;

-- What the directory cannot say of a person.
CREATE TABLE locals (
  uid         INTEGER PRIMARY KEY REFERENCES person_ids (id),
  terminated  INTEGER NOT NULL DEFAULT 0,
  locked      INTEGER NOT NULL DEFAULT 0,
  must_change INTEGER NOT NULL DEFAULT 0,
  alert       INTEGER NOT NULL DEFAULT 0,
  status_by   TEXT NOT NULL DEFAULT '',
  status_at   INTEGER NOT NULL DEFAULT 0,
  pin_hash    TEXT,
  totp_secret BLOB,
  revision    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE api_keys (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  api        TEXT NOT NULL,
  hash       BLOB NOT NULL UNIQUE,
  level      TEXT NOT NULL DEFAULT '',
  label      TEXT NOT NULL DEFAULT '',
  enforced   INTEGER NOT NULL DEFAULT 1,
  user_uid   INTEGER REFERENCES person_ids (id),
  org        TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL DEFAULT 0,
  revoked_at INTEGER NOT NULL DEFAULT 0,
  used_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_keys_user ON api_keys (user_uid);

-- The security log. digest covers the personal columns, hash covers the rest,
-- the digest and the hash of the row before; erased proves a lawful erasure.
CREATE TABLE audit (
  seq        INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  type       INTEGER NOT NULL,
  key_id     INTEGER NOT NULL DEFAULT 0,
  request_id TEXT NOT NULL DEFAULT '',
  uid        INTEGER NOT NULL DEFAULT 0,
  actor      TEXT NOT NULL DEFAULT '',
  address    TEXT NOT NULL DEFAULT '',
  text       TEXT NOT NULL DEFAULT '',
  salt       BLOB NOT NULL,
  digest     BLOB NOT NULL,
  hash       BLOB NOT NULL,
  erased     BLOB
) STRICT;
CREATE INDEX audit_uid ON audit (uid, seq) WHERE uid <> 0;
CREATE INDEX audit_at ON audit (at);

-- The two ends of the chain: 'start' is what the first kept row follows, 'head' the last row.
CREATE TABLE audit_chain (
  name TEXT PRIMARY KEY,
  seq  INTEGER NOT NULL,
  hash BLOB NOT NULL,
  mac  BLOB NOT NULL
) STRICT;

CREATE TABLE throttle (
  bucket     BLOB PRIMARY KEY,
  failures   INTEGER NOT NULL,
  first_at   INTEGER NOT NULL,
  last_at    INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX throttle_expires ON throttle (expires_at);

-- What one process tells the others. Rows are deleted after an hour.
CREATE TABLE changes (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  origin     TEXT NOT NULL,
  table_name TEXT NOT NULL,
  row_id     INTEGER NOT NULL
) STRICT;

-- +goose Down

DROP TABLE changes;
DROP TABLE throttle;
DROP TABLE audit_chain;
DROP TABLE audit;
DROP TABLE api_keys;
DROP TABLE locals;
DROP TABLE retired_ids;
DROP TABLE group_ids;
DROP TABLE person_ids;
DROP TABLE id_counters;
DROP TABLE meta;
