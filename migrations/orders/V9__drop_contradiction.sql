-- Contradictions are cases now.
DROP TABLE contradiction;
