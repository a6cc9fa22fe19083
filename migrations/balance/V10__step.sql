-- What became of each booking of a saga here: booked, or why not. The same booking
-- asked for again gets the same answer and changes nothing.
CREATE TABLE step (
  account_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  step_id    VARCHAR(72) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  outcome    VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_us BIGINT      NOT NULL,
  PRIMARY KEY (account_id, step_id)
) ENGINE=InnoDB;
