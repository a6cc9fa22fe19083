-- Not only steps of rules take two people: what is proposed is kept in full, under the
-- hash that the second person approves. `rule` names what it is about.
ALTER TABLE rule_proposal
  ADD COLUMN content MEDIUMTEXT CHARACTER SET utf8mb4 NULL,
  MODIFY COLUMN rule VARCHAR(96) CHARACTER SET ascii COLLATE ascii_bin NOT NULL;
