-- Business events that could not be read, written with the offsets that pass them.
-- The newest of them are kept; the metric counts all.
CREATE TABLE event_aside (
  topic         VARCHAR(190)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  partition_no  INT             NOT NULL,
  offset_no     BIGINT          NOT NULL,
  reason        VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payload       VARBINARY(1000) NOT NULL,
  payload_bytes BIGINT          NOT NULL,
  told_us       BIGINT          NOT NULL,
  found_us      BIGINT          NOT NULL,
  PRIMARY KEY (topic, partition_no, offset_no),
  KEY by_time (found_us)
) ENGINE=InnoDB;
