-- +goose Up

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BYTEA NOT NULL
);

-- Numeric ids. A counter only ever grows; the row of a counter is also the lock
-- under which ids are given out.
CREATE TABLE id_counters (
  kind    TEXT PRIMARY KEY,
  next_id BIGINT NOT NULL CHECK (next_id BETWEEN 1 AND 2147483648)
);
INSERT INTO id_counters (kind, next_id) VALUES ('person', 1), ('group', 1);

CREATE TABLE person_ids (
  id         BIGINT PRIMARY KEY CHECK (id BETWEEN 1 AND 2147483647),
  directory  TEXT NOT NULL,
  stable     TEXT NOT NULL,
  name       TEXT NOT NULL DEFAULT '',
  created_at BIGINT NOT NULL,
  UNIQUE (directory, stable)
);

CREATE TABLE group_ids (
  id         BIGINT PRIMARY KEY CHECK (id BETWEEN 1 AND 2147483647),
  directory  TEXT NOT NULL,
  stable     TEXT NOT NULL,
  name       TEXT NOT NULL DEFAULT '',
  created_at BIGINT NOT NULL,
  UNIQUE (directory, stable)
);

-- Ids that somebody had once and that nobody may ever get again.
CREATE TABLE retired_ids (
  kind       TEXT NOT NULL,
  id         BIGINT NOT NULL,
  retired_at BIGINT NOT NULL,
  PRIMARY KEY (kind, id)
);

-- What the directory cannot say of a person.
CREATE TABLE locals (
  uid         BIGINT PRIMARY KEY REFERENCES person_ids (id),
  terminated  BOOLEAN NOT NULL DEFAULT FALSE,
  locked      BOOLEAN NOT NULL DEFAULT FALSE,
  must_change BOOLEAN NOT NULL DEFAULT FALSE,
  alert       BOOLEAN NOT NULL DEFAULT FALSE,
  status_by   TEXT NOT NULL DEFAULT '',
  status_at   BIGINT NOT NULL DEFAULT 0,
  pin_hash    TEXT,
  totp_secret BYTEA,
  revision    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE api_keys (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  api        TEXT NOT NULL,
  hash       BYTEA NOT NULL UNIQUE,
  level      TEXT NOT NULL DEFAULT '',
  label      TEXT NOT NULL DEFAULT '',
  enforced   BOOLEAN NOT NULL DEFAULT TRUE,
  user_uid   BIGINT REFERENCES person_ids (id),
  org        TEXT NOT NULL DEFAULT '',
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL DEFAULT 0,
  revoked_at BIGINT NOT NULL DEFAULT 0,
  used_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX api_keys_user ON api_keys (user_uid);

-- The security log. digest covers the personal columns, hash covers the rest,
-- the digest and the hash of the row before; erased proves a lawful erasure.
CREATE TABLE audit (
  seq        BIGINT PRIMARY KEY,
  at         BIGINT NOT NULL,
  type       BIGINT NOT NULL,
  key_id     BIGINT NOT NULL DEFAULT 0,
  request_id TEXT NOT NULL DEFAULT '',
  uid        BIGINT NOT NULL DEFAULT 0,
  actor      TEXT NOT NULL DEFAULT '',
  address    TEXT NOT NULL DEFAULT '',
  text       TEXT NOT NULL DEFAULT '',
  salt       BYTEA NOT NULL,
  digest     BYTEA NOT NULL,
  hash       BYTEA NOT NULL,
  erased     BYTEA
);
CREATE INDEX audit_uid ON audit (uid, seq) WHERE uid <> 0;
CREATE INDEX audit_at ON audit (at);

-- The two ends of the chain: 'start' is what the first kept row follows, 'head' the last row.
CREATE TABLE audit_chain (
  name TEXT PRIMARY KEY,
  seq  BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  mac  BYTEA NOT NULL
);

CREATE TABLE throttle (
  bucket     BYTEA PRIMARY KEY,
  failures   BIGINT NOT NULL,
  first_at   BIGINT NOT NULL,
  last_at    BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX throttle_expires ON throttle (expires_at);

-- Not used here: PostgreSQL has LISTEN and NOTIFY. Kept so that both schemas are the same.
CREATE TABLE changes (
  seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         BIGINT NOT NULL,
  origin     TEXT NOT NULL,
  table_name TEXT NOT NULL,
  row_id     BIGINT NOT NULL
);

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
