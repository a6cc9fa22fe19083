-- This table holds the channels of a routing version.
CREATE TABLE route_channel (
  version  INT          NOT NULL,
  channel  VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- A lower one is tried first, equals share by weight.
  priority INT          NOT NULL,
  weight   INT          NOT NULL,
  paused   TINYINT      NOT NULL,
  note     VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (version, channel)
) ENGINE=InnoDB;
