-- The delivery log ends: its oldest lines are found by when they were through.
-- one by one

DROP INDEX CONCURRENTLY IF EXISTS delivery_finished;
CREATE INDEX CONCURRENTLY delivery_finished ON delivery (finished_at) WHERE finished_at IS NOT NULL;
