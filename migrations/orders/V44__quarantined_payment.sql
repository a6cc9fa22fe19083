-- This table holds payments that Kafka told and that the running build can't book (such as
-- a currency that it doesn't know), so that a build that can books them: their offsets are
-- committed. A row goes when its payment is booked; `mac` is the core's, over all that a
-- booking is made of.
CREATE TABLE quarantined_payment (
  -- SHA-256 of the payload: told twice, it is one payment.
  digest        CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  topic         VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  partition_no  INT          NOT NULL,
  offset_no     BIGINT       NOT NULL,
  -- The reason when it was set aside; later builds may have another.
  reason        VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  payload       MEDIUMBLOB   NOT NULL,
  -- 1 if it was set aside after its producer's signature had been demanded and checked.
  signed        TINYINT      NOT NULL,
  -- The time of the message on Kafka.
  event_time_us BIGINT       NOT NULL,
  found_us      BIGINT       NOT NULL,
  mac           CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB;
