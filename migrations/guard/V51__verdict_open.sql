-- From here on a verdict is open, whoever writes it. Open ones are found by their breaker;
-- people look for them by rule, account and severity, in the order of their time.
ALTER TABLE verdict
  ALTER COLUMN life SET DEFAULT 'open',
  ADD KEY by_life (life, found_us),
  ADD KEY by_life_rule (life, rule, set_version),
  ADD KEY by_breaker (breaker),
  ADD KEY by_rule_time (rule, found_us),
  ADD KEY by_account_time (account_id, found_us),
  ADD KEY by_severity (severity, found_us);
