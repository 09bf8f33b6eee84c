-- How many file systems the guest agent froze for the job. Null: none, or a job before this version.
ALTER TABLE jobs ADD COLUMN frozen_file_systems integer;

-- A run writes it together with columns that the triggers know already; an older service leaves it alone. So they stay as they are.
