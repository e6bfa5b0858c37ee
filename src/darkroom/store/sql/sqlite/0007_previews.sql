-- Pictures of running work: how many were shown, and by which attempt.

ALTER TABLE task ADD COLUMN previews INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN previews_of INTEGER NOT NULL DEFAULT 0;
