-- Bookings that are decided here and to be made at the balance and ledger services,
-- while those live on servers of their own. Written in the transaction that decides
-- them, deleted once they are booked everywhere: the table's size is what is open.
-- `saga_id` is the posting's id, the idempotent key at both services. `proof` signs
-- the row: one that the core did not write is not booked.
CREATE TABLE saga (
  account_id  VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  saga_id     VARCHAR(72)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id    CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind        VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_kind  VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  debit_book  VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  credit_book VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount      DECIMAL(20,4) NOT NULL,
  currency    CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ref         VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_no  VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  client      VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  idem_key    VARCHAR(80)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  proof       CHAR(64)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tries       INT           NOT NULL,
  created_us  BIGINT        NOT NULL,
  due_us      BIGINT        NOT NULL,
  PRIMARY KEY (account_id, saga_id),
  KEY by_due (due_us)
) ENGINE=InnoDB;
