-- What recovery counts: how often the order went out (so that an answer to an
-- earlier sending can be told from one to the last), which event told of it last,
-- how often that was told again, when its upstream said that it had heard, and
-- whether a case that the core itself may close is open.
ALTER TABLE orders
  ADD COLUMN sends        SMALLINT NOT NULL DEFAULT 0,
  ADD COLUMN told         SMALLINT NOT NULL DEFAULT 0,
  ADD COLUMN told_version INT      NOT NULL DEFAULT 1,
  ADD COLUMN told_us      BIGINT   NOT NULL DEFAULT 0,
  ADD COLUMN heard_us     BIGINT   NULL,
  ADD COLUMN cased        TINYINT  NOT NULL DEFAULT 0;
