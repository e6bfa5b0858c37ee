-- Who is next. In the queue are tasks with a gate below 2: see the migration `turns`.

-- name: next_turn
-- The turn of an account's next task, and how the account counts. An engine without a clock begins at the latest one.
SELECT COALESCE(
    (SELECT MAX(turn) FROM (
        SELECT turn FROM standing WHERE account_id = :account_id AND engine = :engine AND priority = :priority
        UNION ALL SELECT turn FROM clock WHERE engine = :engine AND priority = :priority
    ) AS known),
    (SELECT MAX(turn) FROM clock WHERE priority = :priority),
    0
) AS turn,
(SELECT weight FROM account WHERE id = :account_id) AS weight,
(SELECT running_limit FROM account WHERE id = :account_id) AS running_limit

-- name: advance_standing
-- An account's tasks take virtual time, from `turn` on.
UPDATE /*contended*/ standing SET turn = CASE WHEN turn < :earliest THEN :earliest ELSE turn END + CAST(:wanted AS BIGINT)
WHERE account_id = :account_id AND engine = :engine AND priority = :priority RETURNING turn - CAST(:wanted AS BIGINT) AS turn

-- name: add_standing
INSERT /*contended*/ INTO standing (account_id, engine, priority, turn)
VALUES (:account_id, :engine, :priority, CAST(:earliest AS BIGINT) + CAST(:wanted AS BIGINT))
ON CONFLICT (account_id, engine, priority) DO UPDATE
SET turn = CASE WHEN standing.turn < :earliest THEN :earliest ELSE standing.turn END + CAST(:wanted AS BIGINT)
RETURNING turn - CAST(:wanted AS BIGINT) AS turn

-- name: add_clock
INSERT INTO clock (engine, priority, turn) VALUES (:engine, :priority, :turn) ON CONFLICT DO NOTHING

-- name: raise_clock
-- For all engines that a worker chose among: it took the least turn of all. Who raises a clock at this moment does it
-- for all: nobody waits for him.
UPDATE clock SET turn = :turn WHERE priority = :priority AND turn < :turn AND engine IN (
    SELECT engine FROM clock WHERE priority = :priority AND turn < :turn
        AND REPLACE(:engines, ',' || engine || ',', '') <> :engines /*skip locked*/
)

-- name: heads
-- The first waiting task of each engine and model: a few probes of indexes for each, however many wait; and when the
-- first task outside the queue is due. Not a join: PostgreSQL would read a table of some thousand rows for it.
WITH RECURSIVE head (seq) AS (
    SELECT * FROM (
        SELECT seq FROM task WHERE state = 'queued' AND parts = 0 AND gate < 2
        ORDER BY engine, model, priority DESC, turn, seq LIMIT 1
    ) AS first
    UNION ALL
    SELECT COALESCE((
        SELECT next.seq FROM task AS next WHERE next.state = 'queued' AND next.parts = 0 AND next.gate < 2
            AND next.engine = task.engine AND next.model > task.model
        ORDER BY next.model, next.priority DESC, next.turn, next.seq LIMIT 1
    ), (
        SELECT next.seq FROM task AS next WHERE next.state = 'queued' AND next.parts = 0 AND next.gate < 2
            AND next.engine > task.engine
        ORDER BY next.engine, next.model, next.priority DESC, next.turn, next.seq LIMIT 1
    )) FROM head JOIN task ON task.seq = head.seq
)
SELECT /*shared*/ (SELECT engine FROM task WHERE task.seq = head.seq) AS engine,
    (SELECT model FROM task WHERE task.seq = head.seq) AS model,
    (SELECT priority FROM task WHERE task.seq = head.seq) AS priority,
    (SELECT turn FROM task WHERE task.seq = head.seq) AS turn,
    (SELECT run_at FROM task WHERE task.seq = head.seq) AS run_at,
    (SELECT created_at FROM task WHERE task.seq = head.seq) AS created_at,
    head.seq,
    (SELECT run_at FROM task WHERE state = 'queued' AND parts = 0 AND gate = 3 ORDER BY run_at LIMIT 1) AS due_at
FROM head WHERE head.seq IS NOT NULL

-- name: claim
-- Lease the first tasks of one engine, model and priority, up to a place in the queue. A new task may be younger than `now`.
-- The CTE is materialized so that PostgreSQL evaluates its LIMIT once, not per row.
WITH due AS MATERIALIZED (
    SELECT id FROM task
    WHERE state = 'queued' AND parts = 0 AND gate < 2 AND engine = :engine AND model = :model AND priority = :priority
        AND (turn, seq) <= (:turn, :seq) AND (run_at <= :due OR run_at = created_at)
    ORDER BY turn, seq LIMIT :limit /*skip locked*/
)
UPDATE task SET state = 'running', attempt = attempt + 1, worker = :worker, lease_until = :lease_until,
    started_at = COALESCE(started_at, CASE WHEN created_at > :now THEN created_at ELSE :now END),
    progress = 0, stage = '', version = version + 1
WHERE id IN (SELECT id FROM due) RETURNING *

-- name: leased_to
-- What a worker was given and runs, as far as the database knows.
SELECT * FROM task WHERE state = 'running' AND parts = 0 AND worker = :worker ORDER BY seq

-- name: lock_model
-- One claim at a time for a model with a limit.
SELECT model FROM bottleneck WHERE model = :model /*for update*/

-- name: add_bottleneck
INSERT INTO bottleneck (model) VALUES (:model) ON CONFLICT DO NOTHING

-- name: running_of_model
SELECT COUNT(*) AS tasks FROM task WHERE model = :model AND state = 'running' AND parts = 0

-- ---- tasks that wait outside the queue

-- name: set_later
-- A release before gates left it in the queue although it is not due.
UPDATE task SET gate = 3 WHERE seq = :seq AND state = 'queued' AND run_at > :now

-- name: next_due
-- When the earliest task that waits for its time may run.
SELECT run_at FROM task
WHERE state = 'queued' AND parts = 0 AND gate = 3 AND REPLACE(:engines, ',' || engine || ',', '') <> :engines
ORDER BY run_at LIMIT 1

-- name: come_due
SELECT id, account_id, engine, priority, price, attempt, turn FROM task
WHERE state = 'queued' AND parts = 0 AND gate = 3 AND run_at <= :now ORDER BY run_at, seq LIMIT :limit /*skip locked*/

-- name: line_up
UPDATE task SET turn = :turn, gate = :gate, version = version + 1 WHERE id = :id

-- name: lock_limit
SELECT running_limit FROM account WHERE id = :id /*for update*/

-- name: admitted
-- Tasks that an account with a limit has in the queue or running.
SELECT COUNT(*) AS tasks FROM task WHERE account_id = :account_id AND gate = 1 AND gate IN (1, 2) AND finished_at IS NULL

-- name: admit
-- Let the first of an account's tasks into the queue.
UPDATE task SET gate = 1, version = version + 1 WHERE id IN (
    SELECT id FROM task WHERE account_id = :account_id AND gate = 2 AND gate IN (1, 2) AND finished_at IS NULL
    ORDER BY priority DESC, turn, seq LIMIT :limit /*skip locked*/
) RETURNING id

-- name: shares
SELECT id, weight, running_limit, name FROM account ORDER BY created_at, id

-- name: set_share
UPDATE account SET weight = :weight, running_limit = :running_limit WHERE id = :id RETURNING id

-- name: lift_limit
UPDATE task SET gate = 0, version = version + 1
WHERE account_id = :account_id AND gate IN (1, 2) AND finished_at IS NULL

-- name: begin_limit
-- What runs is counted, what waits has to be let in.
UPDATE task SET gate = CASE WHEN state = 'running' THEN 1 ELSE 2 END, version = version + 1
WHERE account_id = :account_id AND parts = 0 AND gate < 3 AND finished_at IS NULL

-- ---- where a task stands

-- name: waiting_before
-- The tasks that stand before a place, by engine and model, counted to a limit that keeps the answer cheap.
SELECT /*shared*/ COUNT(*) AS tasks FROM (
    SELECT 1 FROM task WHERE state = 'queued' AND parts = 0 AND gate < 2 AND engine = :engine AND model = :model
        AND priority > :priority LIMIT :limit
) AS above
UNION ALL
SELECT COUNT(*) FROM (
    SELECT 1 FROM task WHERE state = 'queued' AND parts = 0 AND gate < 2 AND engine = :engine AND model = :model
        AND priority = :priority AND (turn, seq) < (:turn, :seq) LIMIT :limit
) AS before

-- name: kept_back_before
-- An account's own tasks that have to be let in before a place, by model.
SELECT model, COUNT(*) AS tasks FROM (
    SELECT model FROM task WHERE account_id = :account_id AND gate = 2 AND gate IN (1, 2) AND finished_at IS NULL
        AND (priority > :priority OR (priority = :priority AND (turn, seq) < (:turn, :seq))) LIMIT :limit
) AS before GROUP BY model

-- name: queue
-- Where the waiting tasks of one engine and model stand, in their order, read from the index alone.
SELECT -priority AS rank, turn, seq FROM task
WHERE state = 'queued' AND parts = 0 AND gate < 2 AND engine = :engine AND model = :model
ORDER BY priority DESC, turn, seq LIMIT :limit
