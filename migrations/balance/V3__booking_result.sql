-- This table holds what became of each booking intent here: booked, or why not. The same
-- booking asked for again gets the same answer and changes nothing.
CREATE TABLE booking_result (
  account_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  posting_id VARCHAR(72) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- `booked`, or the reason of the refusal.
  outcome    VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_us BIGINT      NOT NULL,
  PRIMARY KEY (account_id, posting_id)
) ENGINE=InnoDB;
