-- +goose Up

-- What was taken over from another system, so that it is taken over once and
-- does not come back after it was removed here. uid is the number of the person
-- concerned there, 0 for what is nobody's. item names the thing; value is what
-- must be compared with the next time.
CREATE TABLE imported (
  source TEXT NOT NULL,
  uid    BIGINT NOT NULL,
  item   TEXT NOT NULL,
  value  BIGINT NOT NULL DEFAULT 0,
  at     BIGINT NOT NULL,
  PRIMARY KEY (source, uid, item)
);

-- +goose Down

DROP TABLE imported;
