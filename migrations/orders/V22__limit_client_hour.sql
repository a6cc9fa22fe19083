-- This table holds the amounts that cores took of each client's allowance of an hour. A
-- core takes a share at a time and spends it in memory: the sum of what was spent is never
-- above the sum of what was taken. Rows of past hours are deleted.
CREATE TABLE limit_client_hour (
  -- Hours since 1970 UTC.
  hour       BIGINT        NOT NULL,
  client     VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The grant whose calls are counted: each kind of call has an allowance of its own.
  grant_word VARCHAR(12)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency   CHAR(3)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Major units of the currency.
  taken      DECIMAL(24,4) NOT NULL,
  updated_us BIGINT        NOT NULL,
  PRIMARY KEY (hour, client, grant_word, currency)
) ENGINE=InnoDB;
