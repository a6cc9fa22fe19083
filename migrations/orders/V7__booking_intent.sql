-- This table holds bookings that are decided here and to be made at the balance and
-- ledger services, while those live on servers of their own. A row is written in the
-- transaction that decides it and deleted once it is booked everywhere: the size of the
-- table is what is open.
CREATE TABLE booking_intent (
  account_id      VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The id of the posting, the idempotent key at both services.
  posting_id      VARCHAR(72)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id        CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind            VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_kind      VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  debit_book      VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  credit_book     VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount          DECIMAL(20,4) NOT NULL,
  currency        CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The reference of the posting: what its entries are booked for.
  ref             VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_no      VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  client          VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  idempotency_key VARCHAR(80)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The signature of the core over the row: one that it did not write is not booked.
  signature       CHAR(64)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- How often a driver took the row, and when the next one may.
  attempts        INT           NOT NULL,
  created_us      BIGINT        NOT NULL,
  due_us          BIGINT        NOT NULL,
  PRIMARY KEY (account_id, posting_id),
  KEY by_due (due_us)
) ENGINE=InnoDB;
