-- +goose Up

-- hash is the keyed hash of the token in the cookie; data is encrypted. A session
-- that was ended stays until it runs out, so that a request that is still under
-- way cannot bring it back.
CREATE TABLE sessions (
  hash       BLOB PRIMARY KEY,
  uid        INTEGER NOT NULL DEFAULT 0,
  data       BLOB NOT NULL,
  ended      INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_uid ON sessions (uid);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- +goose Down

DROP TABLE sessions;
