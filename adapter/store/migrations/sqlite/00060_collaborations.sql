-- +goose Up

-- A key of the collaboration API may be limited to units: their names, one a line.
ALTER TABLE api_keys ADD COLUMN units TEXT NOT NULL DEFAULT '';

-- Organisations and services. settings is JSON: what nothing is looked up by.
CREATE TABLE organisations (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  identifier TEXT NOT NULL UNIQUE,
  uuid4      TEXT NOT NULL UNIQUE,
  short_name TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  settings   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL DEFAULT '',
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE services (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  identifier   TEXT NOT NULL UNIQUE,
  uuid4        TEXT NOT NULL UNIQUE,
  entity_id    TEXT NOT NULL UNIQUE,
  abbreviation TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL,
  settings     TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  created_by   TEXT NOT NULL DEFAULT '',
  updated_at   INTEGER NOT NULL,
  updated_by   TEXT NOT NULL DEFAULT ''
) STRICT;

-- name_key is the name as it is compared; tags and units are JSON arrays of
-- names. Times are microseconds since 1970, 0 for none.
CREATE TABLE collaborations (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  org_id         INTEGER NOT NULL REFERENCES organisations (id),
  identifier     TEXT NOT NULL UNIQUE,
  uuid4          TEXT NOT NULL UNIQUE,
  name           TEXT NOT NULL,
  name_key       TEXT NOT NULL,
  short_name     TEXT NOT NULL,
  description    TEXT NOT NULL,
  website        TEXT NOT NULL DEFAULT '',
  no_requests    INTEGER NOT NULL,
  show_members   INTEGER NOT NULL,
  show_mail      INTEGER NOT NULL,
  logo           TEXT NOT NULL DEFAULT '',
  tags           TEXT NOT NULL DEFAULT '[]',
  units          TEXT NOT NULL DEFAULT '[]',
  status         TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'expired', 'suspended')),
  expires_at     INTEGER NOT NULL DEFAULT 0,
  active_at      INTEGER NOT NULL,
  ended_at       INTEGER NOT NULL DEFAULT 0,
  warned_at      INTEGER NOT NULL DEFAULT 0,
  created_at     INTEGER NOT NULL,
  created_by     TEXT NOT NULL DEFAULT '',
  updated_at     INTEGER NOT NULL,
  updated_by     TEXT NOT NULL DEFAULT '',
  UNIQUE (org_id, name_key),
  UNIQUE (org_id, short_name)
) STRICT;
CREATE INDEX collaborations_short_name ON collaborations (short_name);
CREATE INDEX collaborations_due ON collaborations (status, expires_at);

CREATE TABLE collab_members (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  collab_id     INTEGER NOT NULL REFERENCES collaborations (id) ON DELETE CASCADE,
  uid           INTEGER NOT NULL,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'member')),
  status        TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'expired')),
  expires_at    INTEGER NOT NULL DEFAULT 0,
  warned_at     INTEGER NOT NULL DEFAULT 0,
  invitation_id INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  created_by    TEXT NOT NULL DEFAULT '',
  updated_at    INTEGER NOT NULL,
  updated_by    TEXT NOT NULL DEFAULT '',
  UNIQUE (collab_id, uid)
) STRICT;
CREATE INDEX collab_members_uid ON collab_members (uid);
CREATE INDEX collab_members_due ON collab_members (status, expires_at) WHERE expires_at <> 0;

CREATE TABLE collab_groups (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  collab_id      INTEGER NOT NULL REFERENCES collaborations (id) ON DELETE CASCADE,
  identifier     TEXT NOT NULL UNIQUE,
  name           TEXT NOT NULL,
  name_key       TEXT NOT NULL,
  short_name     TEXT NOT NULL,
  description    TEXT NOT NULL DEFAULT '',
  auto_provision INTEGER NOT NULL,
  service_id     INTEGER NOT NULL DEFAULT 0,
  created_at     INTEGER NOT NULL,
  created_by     TEXT NOT NULL DEFAULT '',
  updated_at     INTEGER NOT NULL,
  updated_by     TEXT NOT NULL DEFAULT '',
  UNIQUE (collab_id, name_key),
  UNIQUE (collab_id, short_name)
) STRICT;

CREATE TABLE collab_group_members (
  group_id  INTEGER NOT NULL REFERENCES collab_groups (id) ON DELETE CASCADE,
  member_id INTEGER NOT NULL REFERENCES collab_members (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, member_id)
) STRICT;
CREATE INDEX collab_group_members_member ON collab_group_members (member_id);

-- token_hash is the keyed hash of the token in the mail; group_ids is JSON.
CREATE TABLE collab_invitations (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  collab_id     INTEGER NOT NULL REFERENCES collaborations (id) ON DELETE CASCADE,
  identifier    TEXT NOT NULL UNIQUE,
  token_hash    BLOB NOT NULL UNIQUE,
  email         TEXT NOT NULL,
  email_key     TEXT NOT NULL,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'member')),
  status        TEXT NOT NULL DEFAULT 'open'
                CHECK (status IN ('open', 'accepted', 'expired', 'declined', 'withdrawn')),
  message       TEXT NOT NULL DEFAULT '',
  sender        TEXT NOT NULL DEFAULT '',
  inviter       TEXT NOT NULL DEFAULT '',
  group_ids     TEXT NOT NULL DEFAULT '[]',
  expires_at    INTEGER NOT NULL,
  member_until  INTEGER NOT NULL DEFAULT 0,
  reminded_at   INTEGER NOT NULL DEFAULT 0,
  uid           INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  created_by    TEXT NOT NULL DEFAULT '',
  updated_at    INTEGER NOT NULL,
  updated_by    TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX collab_invitations_open ON collab_invitations (collab_id, email_key) WHERE status = 'open';
CREATE INDEX collab_invitations_collab ON collab_invitations (collab_id, status);
CREATE INDEX collab_invitations_due ON collab_invitations (status, expires_at);

CREATE TABLE collab_services (
  collab_id  INTEGER NOT NULL REFERENCES collaborations (id) ON DELETE CASCADE,
  service_id INTEGER NOT NULL REFERENCES services (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (collab_id, service_id)
) STRICT;
CREATE INDEX collab_services_service ON collab_services (service_id);

-- for_org tells that the organisation is asked first.
CREATE TABLE collab_requests (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  collab_id  INTEGER NOT NULL REFERENCES collaborations (id) ON DELETE CASCADE,
  service_id INTEGER NOT NULL REFERENCES services (id) ON DELETE CASCADE,
  identifier TEXT NOT NULL UNIQUE,
  token_hash BLOB NOT NULL UNIQUE,
  requester  INTEGER NOT NULL DEFAULT 0,
  for_org    INTEGER NOT NULL,
  status     TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'approved', 'denied')),
  reason     TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL DEFAULT '',
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX collab_requests_open ON collab_requests (collab_id, service_id) WHERE status = 'open';

-- Logos by the UUID in their address; data is empty for one that lies elsewhere.
CREATE TABLE collab_logos (
  uuid4      TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('collaborations', 'organisations', 'services')),
  media_type TEXT NOT NULL,
  data       BLOB NOT NULL
) STRICT;

-- What was answered to a request that had an Idempotency-Key.
CREATE TABLE idempotent_answers (
  key_id      INTEGER NOT NULL,
  name        BLOB NOT NULL,
  fingerprint BLOB NOT NULL,
  answer      TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (key_id, name)
) STRICT;
CREATE INDEX idempotent_answers_created ON idempotent_answers (created_at);

-- +goose Down

DROP TABLE idempotent_answers;
DROP TABLE collab_logos;
DROP TABLE collab_requests;
DROP TABLE collab_services;
DROP TABLE collab_invitations;
DROP TABLE collab_group_members;
DROP TABLE collab_groups;
DROP TABLE collab_members;
DROP TABLE collaborations;
DROP TABLE services;
DROP TABLE organisations;
ALTER TABLE api_keys DROP COLUMN units;
