-- This table holds one row per outflow order. Keys lead with the account, so that an
-- order and its money live on one shard. Every `_us` column of the four schemas is a
-- time in microseconds since 1970 UTC, every amount is in major units of its currency.
-- The order of the columns is the one in `sidecar`, the catalogue of watched tables.
CREATE TABLE orders (
  account_id       VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id         CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind             VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'cash_out',
  client           VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  -- The ids that upstreams hold, by which they find an order: by_transaction, by_biz.
  transaction_id   VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  biz_no           VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  user_id          VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  to_account       VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  amount           DECIMAL(20,4) NOT NULL DEFAULT 0,
  currency         CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  state            VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel          VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  serial_no        CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  -- YYYYMMDDhhmmss in the zone of the channel, fixed at the first claim.
  trade_time       CHAR(14)      CHARACTER SET ascii COLLATE ascii_bin NULL,
  attempts         SMALLINT      NOT NULL DEFAULT 0,
  queries          SMALLINT      NOT NULL DEFAULT 0,
  result_code      VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  version          INT           NOT NULL,
  claim_id         CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NULL,
  -- When recovery must look again. NULL once the order has ended, so that the cost of
  -- looking does not grow with history. Due orders are read by what is to be done with
  -- them, so that a hundred thousand that wait for a breaker, or for one sick channel,
  -- cost the others nothing: by_state (all that counting and paging read), by_channel.
  due_us           BIGINT        NULL,
  created_us       BIGINT        NOT NULL DEFAULT 0,
  updated_us       BIGINT        NOT NULL DEFAULT 0,
  -- The captured payment that a refund or a settlement takes from.
  payment_no       VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  -- The bank of the payee, for routing.
  bank             VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NULL,
  -- The route as chosen: JSON with the reason of each rejected channel.
  route            TEXT          CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  -- How often the order was claimed for sending, so that an answer to an earlier sending
  -- can be told from one to the last.
  sends            SMALLINT      NOT NULL DEFAULT 0,
  -- How often the last event was published again because nobody acknowledged it.
  notify_count     SMALLINT      NOT NULL DEFAULT 0,
  -- The version of the order that the last published event tells of, and its time.
  notified_version INT           NOT NULL DEFAULT 1,
  notified_us      BIGINT        NOT NULL DEFAULT 0,
  -- When the upstream acknowledged the end.
  acknowledged_us  BIGINT        NULL,
  -- 1 while a case that the core itself may close is open.
  has_open_case    TINYINT       NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, order_id),
  KEY by_order (order_id),
  KEY by_transaction (transaction_id),
  KEY by_biz (biz_no),
  KEY by_state (state, due_us, order_id, created_us),
  KEY by_channel (channel, state, due_us),
  KEY by_client (client, order_id)
) ENGINE=InnoDB;
