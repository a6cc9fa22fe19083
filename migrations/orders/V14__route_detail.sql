-- This table holds what fills the condition of a routing rule. A text or a number is
-- item 0. A list is item 0 without a value and its members from 1 on.
CREATE TABLE route_detail (
  version INT          NOT NULL,
  rule    VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- One channel, or all of them (*).
  channel VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name    VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  item    INT          NOT NULL,
  kind    VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  value   VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (version, rule, channel, name, item)
) ENGINE=InnoDB;
