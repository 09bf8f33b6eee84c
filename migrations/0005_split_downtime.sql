-- What the downtime of a cold capture was spent on: {"saveMs", "copyMs", "restoreMs"}. Null for live captures and for jobs before this version.
ALTER TABLE jobs ADD COLUMN downtime jsonb;

-- A run writes it together with columns that the triggers know already; an older service leaves it alone. So they stay as they are.
