-- This table counts what was sent and has not failed or come back, per day and month of
-- the own trade times of the orders. Every sent order is counted, whether a limit asks
-- for it or not, so that a limit added later is exact at once. A total is taken in the
-- transaction of the claim and given back in that of the outcome: it costs the same
-- however many orders there were. The period leads the key: what the claims of today
-- touch lies together, not each row among years of the past of its account.
CREATE TABLE limit_total (
  scope      VARCHAR(8)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope_key  VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- YYYYMMDD or YYYYMM.
  period     CHAR(8)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount     DECIMAL(24,4) NOT NULL,
  version    BIGINT        NOT NULL,
  updated_us BIGINT        NOT NULL,
  PRIMARY KEY (period, scope, scope_key, currency)
) ENGINE=InnoDB;
