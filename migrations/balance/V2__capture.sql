-- This table holds one row per captured payment: what of it was refunded and settled, or
-- is about to be. In every transaction refunded + settled <= captured.
CREATE TABLE capture (
  account_id    VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_no    VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency      CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  captured      DECIMAL(20,4) NOT NULL,
  refunded      DECIMAL(20,4) NOT NULL,
  settled       DECIMAL(20,4) NOT NULL,
  version       BIGINT        NOT NULL,
  updated_us    BIGINT        NOT NULL,
  -- When the payment was published on Kafka, by the clock of its sender, or 0 if nobody
  -- said. One that is booked long after it cannot be compared with its event any more.
  event_time_us BIGINT        NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, payment_no)
) ENGINE=InnoDB;
