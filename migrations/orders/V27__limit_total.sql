-- What was sent and has not failed or come back, per day (YYYYMMDD) and month
-- (YYYYMM) of the orders' own trade times. Counted for every sent order, whether a
-- limit asks for it or not, so that a limit added later is exact at once. Taken in
-- the claim's transaction, given back in that of the outcome: it costs the same
-- however many orders there were. The period leads the key: what today's claims
-- touch lies together, not each row among years of its account's past.
CREATE TABLE limit_total (
  scope      VARCHAR(8)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope_key  VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  period     CHAR(8)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount     DECIMAL(24,4) NOT NULL,
  version    BIGINT        NOT NULL,
  updated_us BIGINT        NOT NULL,
  PRIMARY KEY (period, scope, scope_key, currency)
) ENGINE=InnoDB;
