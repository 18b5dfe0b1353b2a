-- +goose Up

-- The key that answers for an invitation (0: a command), the name that somebody
-- signs up with, and until when one sign-up keeps others out.
ALTER TABLE collab_invitations ADD COLUMN key_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collab_invitations ADD COLUMN signup_name TEXT NOT NULL DEFAULT '';
ALTER TABLE collab_invitations ADD COLUMN taken_until INTEGER NOT NULL DEFAULT 0;

-- Collaborations (group_id 0) and groups as they are written to a directory. A row
-- outlives what it is about, until the directory's entry is deleted. stable is ''
-- until the entry is made. detached: an administrator deleted the entry.
CREATE TABLE collab_entries (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  collab_id    INTEGER NOT NULL,
  group_id     INTEGER NOT NULL DEFAULT 0,
  directory    TEXT NOT NULL,
  stable       TEXT NOT NULL DEFAULT '',
  name         TEXT NOT NULL,
  written      TEXT NOT NULL DEFAULT '',
  version      TEXT NOT NULL DEFAULT '',
  detached     INTEGER NOT NULL DEFAULT 0,
  leased_until INTEGER NOT NULL DEFAULT 0,
  retry_at     INTEGER NOT NULL DEFAULT 0,
  UNIQUE (collab_id, group_id)
) STRICT;

-- Who was written into an entry. What is about to be written or removed is noted
-- before.
CREATE TABLE collab_entry_members (
  entry_id INTEGER NOT NULL REFERENCES collab_entries (id) ON DELETE CASCADE,
  uid      INTEGER NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('in', 'adding', 'removing')),
  admin    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (entry_id, uid)
) STRICT;

-- +goose Down

DROP TABLE collab_entry_members;
DROP TABLE collab_entries;
ALTER TABLE collab_invitations DROP COLUMN taken_until;
ALTER TABLE collab_invitations DROP COLUMN signup_name;
ALTER TABLE collab_invitations DROP COLUMN key_id;
