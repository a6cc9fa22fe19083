-- This table holds business events that could not be read, written with the offsets that
-- pass them. The newest of them are kept, the metric counts all.
CREATE TABLE dead_letter (
  topic         VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  partition_no  INT             NOT NULL,
  offset_no     BIGINT          NOT NULL,
  reason        VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- At most 1,000 bytes of the event, `payload_bytes` is its whole length.
  payload       VARBINARY(1000) NOT NULL,
  payload_bytes BIGINT          NOT NULL,
  -- The time of the message on Kafka.
  event_time_us BIGINT          NOT NULL,
  found_us      BIGINT          NOT NULL,
  PRIMARY KEY (topic, partition_no, offset_no),
  KEY by_time (found_us)
) ENGINE=InnoDB;
