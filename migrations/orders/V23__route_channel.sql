-- The channels of a version: a lower priority is tried first, equals share by weight.
CREATE TABLE route_channel (
  version  INT          NOT NULL,
  channel  VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  priority INT          NOT NULL,
  weight   INT          NOT NULL,
  paused   TINYINT      NOT NULL,
  note     VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (version, channel)
) ENGINE=InnoDB;
