-- +goose Up

-- The last accepted step of a person's one-time passwords, and a secret that
-- still has to be proven.
ALTER TABLE locals ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE locals ADD COLUMN totp_pending BLOB;
ALTER TABLE locals ADD COLUMN totp_pending_until INTEGER NOT NULL DEFAULT 0;

-- hash is the keyed hash of a random password of ours, or a bcrypt hash from
-- another system. source names the row there, so that it is taken over once.
CREATE TABLE app_passwords (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  uid         INTEGER NOT NULL REFERENCES person_ids (id),
  hash        BLOB NOT NULL,
  imported    INTEGER NOT NULL DEFAULT 0,
  description TEXT NOT NULL DEFAULT '',
  source      TEXT UNIQUE,
  created_at  INTEGER NOT NULL,
  used_at     INTEGER NOT NULL DEFAULT 0,
  UNIQUE (uid, hash)
) STRICT;

CREATE TABLE mobile_codes (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  uid         INTEGER NOT NULL REFERENCES person_ids (id),
  hash        BLOB NOT NULL UNIQUE,
  description TEXT NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  used_at     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX mobile_codes_uid ON mobile_codes (uid);

-- One code a person.
CREATE TABLE onetime_codes (
  uid        INTEGER PRIMARY KEY REFERENCES person_ids (id),
  hash       BLOB NOT NULL UNIQUE,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX onetime_codes_expires ON onetime_codes (expires_at);

CREATE TABLE login_keys (
  hash       BLOB PRIMARY KEY,
  app_name   TEXT NOT NULL DEFAULT '',
  app_icon   TEXT NOT NULL DEFAULT '',
  uid        INTEGER REFERENCES person_ids (id),
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX login_keys_expires ON login_keys (expires_at);
CREATE INDEX login_keys_uid ON login_keys (uid);

-- Codes are stored in upper case.
CREATE TABLE permissions (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  code        TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO permissions (id, code, description) VALUES
  (1, 'ADMIN', 'Everything'),
  (100, 'INV_VIEW', 'See the inventory'),
  (101, 'INV_EDIT', 'Change the inventory'),
  (200, 'TASKFLOOR', 'Use TaskFloor'),
  (300, 'QWIKCLOCK', 'Clock in and out'),
  (301, 'QWIKCLOCK_MANAGE', 'Edit the data of managed staff'),
  (302, 'QWIKCLOCK_EDITSELF', 'Edit own data'),
  (303, 'QWIKCLOCK_ADMIN', 'Shifts and data of everyone'),
  (400, 'SITEWRITER', 'Manage sites'),
  (401, 'SITEWRITER_CONTACT', 'Read contact messages'),
  (402, 'SITEWRITER_ANALYTICS', 'See statistics'),
  (403, 'SITEWRITER_EDIT', 'Edit content'),
  (404, 'SITEWRITER_FILES', 'Manage files');
-- Codes of this installation begin above what AccountHub and its apps may bring.
UPDATE sqlite_sequence SET seq = 9999 WHERE name = 'permissions';

CREATE TABLE user_permissions (
  uid           INTEGER NOT NULL REFERENCES person_ids (id),
  permission_id INTEGER NOT NULL REFERENCES permissions (id),
  PRIMARY KEY (uid, permission_id)
) STRICT;
CREATE INDEX user_permissions_permission ON user_permissions (permission_id);

-- Relations besides those of the directory.
CREATE TABLE managers (
  manager_uid  INTEGER NOT NULL REFERENCES person_ids (id),
  employee_uid INTEGER NOT NULL REFERENCES person_ids (id),
  PRIMARY KEY (manager_uid, employee_uid),
  CHECK (manager_uid <> employee_uid)
) STRICT;
CREATE INDEX managers_employee ON managers (employee_uid);

CREATE TABLE notifications (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  uid       INTEGER NOT NULL REFERENCES person_ids (id),
  at        INTEGER NOT NULL,
  title     TEXT NOT NULL,
  content   TEXT NOT NULL,
  url       TEXT NOT NULL DEFAULT '',
  seen      INTEGER NOT NULL DEFAULT 0,
  sensitive INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notifications_uid ON notifications (uid, seen, at DESC, id DESC);

-- +goose Down

DROP TABLE notifications;
DROP TABLE managers;
DROP TABLE user_permissions;
DROP TABLE permissions;
DROP TABLE login_keys;
DROP TABLE onetime_codes;
DROP TABLE mobile_codes;
DROP TABLE app_passwords;
ALTER TABLE locals DROP COLUMN totp_pending_until;
ALTER TABLE locals DROP COLUMN totp_pending;
ALTER TABLE locals DROP COLUMN totp_step;
