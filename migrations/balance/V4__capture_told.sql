-- When the payment was told on Kafka, by its sender's clock; 0 if nobody said. One that
-- is booked long after it was told can't be compared with its event any more.
ALTER TABLE capture
  ADD COLUMN told_us BIGINT NOT NULL DEFAULT 0;
