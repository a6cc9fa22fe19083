-- This table holds the nonces of signed requests, of all cores: each counts once, wherever
-- it is shown again. Rows go when their request's time would be refused anyway.
CREATE TABLE request_nonce (
  client    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The first 16 bytes of the nonce's SHA-256, in hex.
  nonce     CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Random, of the request that used the nonce: a core that repeats an insert knows its own.
  used_by   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Seconds since 1970 UTC.
  expires_s BIGINT      NOT NULL,
  PRIMARY KEY (client, nonce),
  KEY by_expiry (expires_s)
) ENGINE=InnoDB;
