-- This table holds the limits that the routing engine itself keeps: per payment, and
-- cumulative per day and month, of a channel, an account, a user or a business (the
-- calling client).
CREATE TABLE route_limit (
  version   INT           NOT NULL,
  scope     VARCHAR(8)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- * stands for every key, or in `channel` for every channel.
  scope_key VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel   VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency  CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- NULL: no such limit.
  single    DECIMAL(24,4) NULL,
  day       DECIMAL(24,4) NULL,
  month     DECIMAL(24,4) NULL,
  otherwise VARCHAR(8)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (version, scope, scope_key, channel, currency)
) ENGINE=InnoDB;
