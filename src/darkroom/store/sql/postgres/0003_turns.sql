-- Whose task is next: turns in virtual time, weights and limits of accounts, and tasks that wait outside the queue.
-- one by one

ALTER TABLE account ADD COLUMN IF NOT EXISTS weight DOUBLE PRECISION NOT NULL DEFAULT 1;
ALTER TABLE account ADD COLUMN IF NOT EXISTS running_limit BIGINT;

-- gate: 0 in the queue, 1 in the queue and counted for its account's limit, 2 waits for that limit, 3 waits for its time.
-- Rows of the release before this one have turn 0: they go first, in the order in which they came.
ALTER TABLE task ADD COLUMN IF NOT EXISTS turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN IF NOT EXISTS gate BIGINT NOT NULL DEFAULT 0;

-- The largest turn that was taken.
CREATE TABLE IF NOT EXISTS clock (
    engine TEXT NOT NULL,
    priority BIGINT NOT NULL,
    turn BIGINT NOT NULL,
    PRIMARY KEY (engine, priority)
);

-- Where each account's next task will stand, at the earliest.
CREATE TABLE IF NOT EXISTS standing (
    account_id TEXT NOT NULL,
    engine TEXT NOT NULL,
    priority BIGINT NOT NULL,
    turn BIGINT NOT NULL,
    PRIMARY KEY (account_id, engine, priority)
);

-- Models with a limit on how many of their tasks run at once: locked while these are counted.
CREATE TABLE IF NOT EXISTS bottleneck (
    model TEXT NOT NULL PRIMARY KEY
);

-- What waits already is lined up by account, as if it had come just now; what is not due waits outside the queue. A task
-- that is claimed, canceled or deleted meanwhile stays as it is.
CREATE TABLE IF NOT EXISTS lined AS
SELECT seq, CAST(1000 * (SUM(CASE WHEN price > 1 THEN price ELSE 1 END) OVER (
        PARTITION BY account_id, engine, priority ORDER BY seq
    ) - CASE WHEN price > 1 THEN price ELSE 1 END) AS BIGINT) AS turn,
    CASE WHEN run_at > CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT) THEN 3 ELSE 0 END AS gate
FROM task WHERE state = 'queued' AND parts = 0;

CREATE INDEX IF NOT EXISTS lined_seq ON lined (seq);

-- repeated until it returns no row
WITH next AS (
    DELETE FROM lined WHERE seq IN (SELECT seq FROM lined ORDER BY seq LIMIT 1000) RETURNING seq, turn, gate
), put AS (
    UPDATE task SET turn = next.turn, gate = next.gate FROM next WHERE task.seq = next.seq AND task.state = 'queued'
)
SELECT 1 FROM next LIMIT 1;

DROP TABLE IF EXISTS lined;

INSERT INTO standing (account_id, engine, priority, turn)
SELECT account_id, engine, priority, 1000 * SUM(CASE WHEN price > 1 THEN price ELSE 1 END)
FROM task WHERE state = 'queued' AND parts = 0 GROUP BY account_id, engine, priority
ON CONFLICT DO NOTHING;

INSERT INTO clock (engine, priority, turn)
SELECT DISTINCT engine, priority, 0 FROM task WHERE state = 'queued' AND parts = 0
ON CONFLICT DO NOTHING;

DROP INDEX CONCURRENTLY IF EXISTS task_next;
CREATE INDEX CONCURRENTLY task_next ON task (engine, model, priority DESC, turn, seq) WHERE state = 'queued' AND parts = 0 AND gate < 2;
DROP INDEX CONCURRENTLY IF EXISTS task_later;
CREATE INDEX CONCURRENTLY task_later ON task (run_at, seq) WHERE state = 'queued' AND parts = 0 AND gate = 3;
DROP INDEX CONCURRENTLY IF EXISTS task_limited;
CREATE INDEX CONCURRENTLY task_limited ON task (account_id, gate, priority DESC, turn, seq)
WHERE gate IN (1, 2) AND finished_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS task_running;
CREATE INDEX CONCURRENTLY task_running ON task (model) WHERE state = 'running' AND parts = 0;

DROP INDEX CONCURRENTLY IF EXISTS task_queue;
