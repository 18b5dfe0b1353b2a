-- +goose Up

-- What people are called in groups, where the directory has no entries for it.
CREATE TABLE team_titles (
  gid   INTEGER NOT NULL REFERENCES group_ids (id) ON UPDATE CASCADE,
  uid   INTEGER NOT NULL REFERENCES person_ids (id) ON UPDATE CASCADE,
  title TEXT NOT NULL,
  PRIMARY KEY (gid, uid)
) STRICT;

-- Numbers of roles, by name: given out once.
CREATE TABLE role_ids (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- What is kept here of a user of the user management API.
CREATE TABLE user_extras (
  uid       INTEGER PRIMARY KEY REFERENCES person_ids (id) ON UPDATE CASCADE,
  role      TEXT NOT NULL DEFAULT '',
  time_zone TEXT NOT NULL DEFAULT ''
) STRICT;

-- Public keys of people, besides those of the directory. hash is of kind and key.
CREATE TABLE public_keys (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  uid         INTEGER NOT NULL REFERENCES person_ids (id) ON UPDATE CASCADE,
  hash        BLOB NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  public_key  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (uid, hash)
) STRICT;

-- The last part of the address of a group's page: given out once, never changed.
CREATE TABLE slugs (
  gid        INTEGER PRIMARY KEY REFERENCES group_ids (id) ON UPDATE CASCADE,
  slug       TEXT NOT NULL UNIQUE,
  icon       INTEGER NOT NULL DEFAULT 1,
  start_page TEXT NOT NULL DEFAULT 'overview'
) STRICT;

-- Invitations to have an account. id comes from the numbers of people. token is
-- the keyed hash of the link's; mail is folded. state: pending, taking (somebody
-- is accepting, until lease_at), waiting (for an administrator), accepted,
-- withdrawn. Times are microseconds since 1970.
CREATE TABLE invitations (
  id          INTEGER PRIMARY KEY,
  token       BLOB NOT NULL UNIQUE,
  state       TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'taking', 'waiting', 'accepted', 'withdrawn')),
  mail        TEXT NOT NULL,
  mail_shown  TEXT NOT NULL,
  given_name  TEXT NOT NULL,
  family_name TEXT NOT NULL,
  role        TEXT NOT NULL,
  inviter     INTEGER NOT NULL DEFAULT 0,
  username    TEXT NOT NULL DEFAULT '',
  time_zone   TEXT NOT NULL DEFAULT '',
  uid         INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  lease_at    INTEGER NOT NULL DEFAULT 0,
  ended_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX invitations_mail ON invitations (mail) WHERE state IN ('pending', 'taking', 'waiting');

-- +goose Down

DROP TABLE invitations;
DROP TABLE slugs;
DROP TABLE public_keys;
DROP TABLE user_extras;
DROP TABLE role_ids;
DROP TABLE team_titles;
