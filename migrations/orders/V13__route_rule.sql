-- This table holds the rules of a routing version: an expression that must be true for a
-- channel to take an order (seed 002 §4.4: the rule holds the condition, its details
-- fill it).
CREATE TABLE route_rule (
  version        INT           NOT NULL,
  rule           VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sort_order     INT           NOT NULL,
  condition_text VARCHAR(2000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  message        VARCHAR(190)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- What becomes of an order that the rule keeps from every channel: `wait` or `fail`.
  otherwise      VARCHAR(8)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (version, rule)
) ENGINE=InnoDB;
