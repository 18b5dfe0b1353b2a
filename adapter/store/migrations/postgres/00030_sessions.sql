-- +goose Up

-- hash is the keyed hash of the token in the cookie; data is encrypted. A session
-- that was ended stays until it runs out, so that a request that is still under
-- way cannot bring it back.
CREATE TABLE sessions (
  hash       BYTEA PRIMARY KEY,
  uid        BIGINT NOT NULL DEFAULT 0,
  data       BYTEA NOT NULL,
  ended      BOOLEAN NOT NULL DEFAULT FALSE,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_uid ON sessions (uid);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- +goose Down

DROP TABLE sessions;
