-- The delivery log ends: its oldest lines are found by when they were through.

CREATE INDEX delivery_finished ON delivery (finished_at) WHERE finished_at IS NOT NULL;
