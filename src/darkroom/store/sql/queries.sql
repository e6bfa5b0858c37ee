-- Every query of the system, for SQLite and PostgreSQL alike. Rules live in Python; this is compare and set.

-- name: add_signing_key
INSERT INTO signing_key (id, secret, created_at, lifetime) VALUES (:id, :secret, :now, 0)

-- name: signing_keys
SELECT id, secret, created_at, lifetime FROM signing_key ORDER BY created_at DESC, id DESC

-- name: add_task
-- No row when the public id or the account's idempotency key is taken.
INSERT INTO task (id, public_id, account_id, dialect, operation, model, engine, params, inputs, count, state, progress,
    stage, attempt, failures, priority, run_at, deadline, cancel, warnings, artifacts, price, cost, parent_id, parts, metadata,
    extra, callbacks, key_id, idempotency_key, request_digest, created_at, turn, gate, version)
VALUES (:id, :public_id, :account_id, :dialect, :operation, :model, :engine, :params, :inputs, :count, 'queued', 0,
    '', 0, 0, :priority, :run_at, :deadline, 0, :warnings, '[]', :price, 0, :parent_id, :parts, :metadata,
    :extra, :callbacks, :key_id, :idempotency_key, :request_digest, :created_at, :turn, :gate, 1)
ON CONFLICT DO NOTHING RETURNING seq, id

-- name: add_event
INSERT /*last*/ INTO event (account_id, task_id, n, state, attempt, at)
VALUES (:account_id, :task_id, :n, :state, :attempt, :now)

-- name: events
SELECT n, state, attempt, at FROM event WHERE task_id = :task_id ORDER BY n

-- name: account_events
-- What happened to an account's tasks, with the tasks as they are now.
SELECT event.seq AS event_seq, event.state AS event_state, event.attempt AS event_attempt, task.*
FROM event JOIN task ON task.id = event.task_id
WHERE event.account_id = :account_id AND event.seq > :after ORDER BY event.seq LIMIT :limit

-- name: last_event
SELECT COALESCE(MAX(seq), 0) AS seq FROM event WHERE account_id = :account_id

-- name: ping
SELECT 1 AS alive

-- name: moves_in_the_way
-- Moves of the whole database because of which nobody may use it.
SELECT role, other FROM move WHERE role IN ('departed', 'arriving')

-- name: task_by_public_id
SELECT /*shared*/ * FROM task WHERE public_id = :public_id

-- name: glance
-- What a repeated poll needs to know: whose task it is and whether it changed. A parent changes with its parts.
SELECT /*shared*/ account_id, version + CASE WHEN parts = 0 THEN 0 ELSE (
    SELECT CAST(COALESCE(SUM(part.version), 0) AS BIGINT) FROM task AS part WHERE part.parent_id = task.id
) END AS version FROM task WHERE public_id = :public_id

-- name: task_by_idempotency_key
SELECT id, public_id, request_digest, state, created_at FROM task
WHERE account_id = :account_id AND idempotency_key = :idempotency_key

-- name: children
SELECT /*shared*/ * FROM task WHERE parent_id = :parent_id ORDER BY seq

-- name: tasks
-- A page of an account's tasks, newest first, parents instead of their parts.
SELECT * FROM task
WHERE account_id = :account_id AND parent_id IS NULL AND seq < :before
    AND (CAST(:state AS TEXT) IS NULL OR state = CAST(:state AS TEXT))
    AND (CAST(:operations AS TEXT) = '' OR REPLACE(:operations, ',' || operation || ',', '') <> :operations)
ORDER BY seq DESC LIMIT :limit OFFSET :skip

-- name: start_parent
UPDATE task SET state = 'running', started_at = :now, version = version + 1
WHERE id = :id AND state = 'queued' AND parts > 0 RETURNING version, callbacks

-- name: heartbeat
-- Renew a lease, report progress and the number of a new preview, or 0; no row when the lease is lost.
UPDATE task SET lease_until = :lease_until, checkpoint = COALESCE(CAST(:checkpoint AS TEXT), checkpoint),
    version = version + CASE WHEN :progress > progress OR :stage <> stage OR :previews > 0 THEN 1 ELSE 0 END,
    stage = :stage, progress = CASE WHEN :progress > progress THEN :progress ELSE progress END,
    previews = CASE WHEN :previews > 0 THEN :previews ELSE previews END,
    previews_of = CASE WHEN :previews > 0 THEN attempt ELSE previews_of END
WHERE id = :id AND attempt = :attempt AND state = 'running' RETURNING cancel

-- name: change_task
-- One transition, guarded by state and attempt; no row when somebody else was first. And how its hold was made: looked up by
-- parameters, as SQLite reads the whole ledger where RETURNING compares it with the row.
UPDATE task SET state = :state, failures = :failures, run_at = :run_at, progress = :progress, cost = :cost,
    error_code = :error_code, error_message = :error_message, error_param = :error_param, error_detail = :error_detail,
    artifacts = :artifacts, warnings = :warnings, checkpoint = :checkpoint, finished_at = :finished_at,
    expires_at = :expires_at,
    gate = CASE WHEN CAST(:state AS TEXT) = 'queued' AND CAST(:run_at AS BIGINT) > CAST(:now AS BIGINT) THEN 3 ELSE gate END,
    stage = '', lease_until = NULL, worker = NULL, version = version + 1
WHERE id = :id AND state = :expect AND attempt = :attempt RETURNING *,
    (SELECT -free FROM entry WHERE entry.task_id = :id AND entry.kind = 'hold') AS held_free,
    (SELECT entry.public_id FROM entry WHERE entry.task_id = :id AND entry.kind = 'hold') AS held_for,
    (SELECT account.running_limit FROM account WHERE account.id = :account_id) AS running_limit

-- name: lock_parent
SELECT * FROM task WHERE id = :id /*for update*/

-- name: finish_parent
UPDATE task SET state = :state, progress = 100, error_code = :error_code, error_message = :error_message,
    finished_at = :now, expires_at = :expires_at, version = version + 1
WHERE id = :id AND finished_at IS NULL RETURNING version, callbacks

-- name: mark_cancel
UPDATE task SET cancel = 1, version = version + 1 WHERE id = :id AND state = 'running' AND cancel = 0 RETURNING version

-- name: expired
-- Running tasks whose worker has not been heard of in time.
SELECT * FROM task WHERE state = 'running' AND parts = 0 AND lease_until <= :now ORDER BY lease_until LIMIT :limit

-- name: overdue
SELECT * FROM task WHERE state = 'queued' AND parts = 0 AND deadline <= :now ORDER BY deadline LIMIT :limit

-- name: delete_events
DELETE FROM event WHERE task_id = :id

-- name: delete_task
-- Only what is final can be deleted.
DELETE FROM task WHERE id = :id AND finished_at IS NOT NULL RETURNING id

-- name: counts
SELECT state, COUNT(*) AS tasks FROM task WHERE parts = 0 GROUP BY state

-- name: add_webhook
INSERT INTO webhook (id, account_id, url, lane, events, secret, failures, created_at)
VALUES (:id, :account_id, :url, :lane, :events, :secret, 0, :now)

-- name: webhooks
SELECT /*shared*/ * FROM webhook WHERE account_id = :account_id ORDER BY created_at, id

-- name: webhook
SELECT /*shared*/ * FROM webhook WHERE id = :id

-- name: change_webhook
UPDATE webhook SET url = :url, lane = :lane, events = :events WHERE id = :id RETURNING id

-- name: move_deliveries
-- What was not sent yet follows its webhook to its new place.
UPDATE delivery SET url = :url, lane = :lane WHERE webhook_id = :webhook_id AND finished_at IS NULL

-- name: enable_webhook
UPDATE webhook SET disabled_at = NULL, disabled_reason = NULL, failures = 0, failing_since = NULL WHERE id = :id RETURNING id

-- name: disable_webhook
UPDATE webhook SET disabled_at = :now, disabled_reason = :reason WHERE id = :id AND disabled_at IS NULL RETURNING id

-- name: drop_deliveries
-- Those that are under way end by themselves.
UPDATE delivery SET status = 'failed', error = :error, finished_at = :now
WHERE webhook_id = :webhook_id AND finished_at IS NULL AND lease_until IS NULL

-- name: rotate_webhook
UPDATE webhook SET previous_secret = secret, previous_until = :until, secret = :secret WHERE id = :id RETURNING id

-- name: delete_webhook
DELETE FROM webhook WHERE id = :id RETURNING id

-- name: webhook_failed
UPDATE webhook SET failures = failures + 1, failing_since = COALESCE(failing_since, :now) WHERE id = :id RETURNING *

-- name: webhook_worked
UPDATE webhook SET failures = 0, failing_since = NULL WHERE id = :id AND failures > 0

-- name: add_webhook_secret
INSERT INTO webhook_secret (account_id, secret, created_at) VALUES (:account_id, :secret, :now) ON CONFLICT DO NOTHING

-- name: webhook_secret
SELECT /*shared*/ secret, previous_secret, previous_until FROM webhook_secret WHERE account_id = :account_id

-- name: rotate_webhook_secret
UPDATE webhook_secret SET previous_secret = secret, previous_until = :until, secret = :secret
WHERE account_id = :account_id RETURNING account_id

-- name: add_delivery
INSERT INTO delivery (id, account_id, task_id, n, event, url, lane, status, tries, due_at, begun_at, created_at)
VALUES (:id, :account_id, :task_id, :n, :event, :url, :lane, :status, 0, :now, :now, :now)

-- name: add_webhook_delivery
-- To where the webhook is now; one that is disabled meanwhile leaves a line that can be replayed.
INSERT INTO delivery (id, account_id, task_id, n, event, url, lane, webhook_id, status, tries, due_at, begun_at, created_at,
    error, finished_at)
SELECT CAST(:id AS TEXT), account_id, CAST(:task_id AS TEXT), CAST(:n AS BIGINT), CAST(:event AS TEXT), url, lane, id,
    CASE WHEN disabled_at IS NULL THEN CAST(:status AS TEXT) ELSE 'failed' END, 0, CAST(:now AS BIGINT),
    CAST(:now AS BIGINT), CAST(:now AS BIGINT), CASE WHEN disabled_at IS NULL THEN NULL ELSE CAST(:error AS TEXT) END,
    CASE WHEN disabled_at IS NULL THEN NULL ELSE CAST(:now AS BIGINT) END
FROM webhook WHERE id = :webhook_id RETURNING id

-- name: unfinished_delivery
-- An earlier delivery of the same task to the same receiver that is not through. Locked, so that its end is not missed.
SELECT id FROM delivery
WHERE task_id = :task_id AND COALESCE(webhook_id, '') = :webhook_id AND finished_at IS NULL ORDER BY n LIMIT 1 /*for update*/

-- name: promote_delivery
-- The next one of the same task for the same receiver.
UPDATE delivery SET status = 'pending', due_at = :now WHERE id = (
    SELECT id FROM delivery WHERE task_id = :task_id AND COALESCE(webhook_id, '') = :webhook_id AND status = 'waiting'
    ORDER BY n LIMIT 1
)

-- name: lanes
-- Lanes in which something waits, in the order of their names from one on, and when the first of it is due.
WITH RECURSIVE found (lane) AS (
    SELECT * FROM (
        SELECT lane FROM delivery WHERE status = 'pending' AND lane > :after ORDER BY lane LIMIT 1
    ) AS start
    UNION ALL
    SELECT (
        SELECT lane FROM delivery WHERE status = 'pending' AND lane > found.lane ORDER BY lane LIMIT 1
    ) FROM found WHERE found.lane IS NOT NULL
)
SELECT lane, (
    SELECT due_at FROM delivery WHERE status = 'pending' AND lane = found.lane ORDER BY due_at LIMIT 1
) AS due_at FROM found WHERE lane IS NOT NULL LIMIT :limit

-- name: claim_deliveries
-- A delivery under way is due again when its lease ends.
WITH due AS MATERIALIZED (
    SELECT id FROM delivery WHERE status = 'pending' AND lane = :lane AND due_at <= :now
    ORDER BY due_at LIMIT :limit /*skip locked*/
)
UPDATE delivery SET tries = tries + 1, due_at = :lease_until, lease_until = :lease_until
WHERE id IN (SELECT id FROM due) RETURNING *

-- name: end_try
-- What became of one try; no row when its lease was lost to another one.
UPDATE delivery SET status = :status, due_at = :due_at, http_status = :http_status, error = :error,
    finished_at = :finished_at, lease_until = NULL
WHERE id = :id AND tries = :tries AND status = 'pending' AND lease_until IS NOT NULL RETURNING id

-- name: release_try
-- A try that did not take place.
UPDATE delivery SET tries = tries - 1, due_at = :now, lease_until = NULL
WHERE id = :id AND tries = :tries AND status = 'pending' AND lease_until IS NOT NULL

-- name: release_tries
-- Those of a process that is gone.
UPDATE delivery SET due_at = :now, lease_until = NULL WHERE status = 'pending' AND lease_until IS NOT NULL

-- name: replay_delivery
UPDATE delivery SET status = 'pending', tries = 0, due_at = :now, begun_at = :now, finished_at = NULL, error = NULL,
    http_status = NULL, url = COALESCE((SELECT webhook.url FROM webhook WHERE webhook.id = delivery.webhook_id), url),
    lane = COALESCE((SELECT webhook.lane FROM webhook WHERE webhook.id = delivery.webhook_id), lane)
WHERE id = :id AND finished_at IS NOT NULL RETURNING id

-- name: delivery
SELECT delivery.*, task.public_id FROM delivery LEFT JOIN task ON task.id = delivery.task_id WHERE delivery.id = :id

-- name: deliveries
-- A page of an account's deliveries, newest first.
SELECT delivery.*, task.public_id FROM delivery LEFT JOIN task ON task.id = delivery.task_id
WHERE delivery.account_id = :account_id AND delivery.id < :before
    AND (CAST(:status AS TEXT) IS NULL OR delivery.status = CAST(:status AS TEXT))
    AND (CAST(:webhook_id AS TEXT) IS NULL OR delivery.webhook_id = CAST(:webhook_id AS TEXT))
ORDER BY delivery.id DESC LIMIT :limit

-- name: deliveries_of_task
-- The same of one task, in the order of its events, whichever nodes' clocks they were told by.
SELECT delivery.*, task.public_id FROM delivery JOIN task ON task.id = delivery.task_id
WHERE delivery.task_id = :task_id AND (delivery.n, delivery.id)
        < (COALESCE((SELECT earlier.n FROM delivery AS earlier WHERE earlier.id = :before), :unknown), :before)
    AND (CAST(:status AS TEXT) IS NULL OR delivery.status = CAST(:status AS TEXT))
    AND (CAST(:webhook_id AS TEXT) IS NULL OR delivery.webhook_id = CAST(:webhook_id AS TEXT))
ORDER BY delivery.n DESC, delivery.id DESC LIMIT :limit

-- name: remove_old_deliveries
-- Lines of the log that are through for so long.
DELETE FROM delivery WHERE id IN (
    SELECT id FROM delivery WHERE finished_at < :before ORDER BY finished_at LIMIT :limit
) RETURNING id

-- name: delete_deliveries
DELETE FROM delivery WHERE task_id = :task_id

-- name: due
-- Tasks that wait for a worker, counted to a limit that keeps the answer cheap.
SELECT COUNT(*) AS tasks FROM (SELECT 1 FROM task WHERE state = 'queued' AND parts = 0 AND gate < 2 LIMIT :limit) AS waiting

-- name: waiting
-- What could run now, by model, of the first so many.
SELECT model, COUNT(*) AS tasks, MIN(run_at) AS since FROM (
    SELECT model, run_at FROM task WHERE state = 'queued' AND parts = 0 AND gate < 2 AND run_at <= :now LIMIT :limit
) AS due GROUP BY model

-- name: at_work
SELECT model, COUNT(*) AS tasks FROM task WHERE state = 'running' AND parts = 0 GROUP BY model

-- name: held
-- Tasks that wait for a person, oldest first.
SELECT * FROM task WHERE state = 'queued' AND parts = 0 AND gate = 3 AND run_at = :held AND seq > :after
ORDER BY seq LIMIT :limit

-- name: release_held
UPDATE task SET run_at = :now, version = version + 1
WHERE public_id = :public_id AND state = 'queued' AND run_at = :held RETURNING id

-- name: deliveries_due
-- How many webhooks could be sent now, of the first so many, and since when; read from the index alone.
SELECT COUNT(*) AS deliveries, COALESCE(MIN(due_at), :now) AS since FROM (
    SELECT due_at FROM delivery WHERE status = 'pending' AND due_at <= :now LIMIT :limit
) AS due

-- name: free_key
-- Take an idempotency key from a task that it does not count for any more: an older one, or one without success.
UPDATE task SET idempotency_key = NULL WHERE account_id = :account_id AND idempotency_key = :idempotency_key
    AND (created_at < :since OR state IN ('failed', 'canceled'))

-- name: add_batch
INSERT INTO batch (task_id, public_ids) VALUES (:task_id, :public_ids)

-- name: batch
-- The public ids of the batch that began with a task.
SELECT public_ids FROM batch WHERE task_id = :task_id

-- name: delete_batch
DELETE FROM batch WHERE task_id = :task_id

-- name: add_removal
-- The files of a task, by its id, or an input, by its key, are to be removed.
INSERT INTO removal (task_id) VALUES (:task_id) ON CONFLICT DO NOTHING

-- name: removals
SELECT task_id FROM removal ORDER BY task_id LIMIT :limit

-- name: end_removal
DELETE FROM removal WHERE task_id = :task_id

-- name: expiring
-- Tasks whose results have been kept long enough; parts go with their parent.
SELECT * FROM task WHERE expires_at <= :now AND parent_id IS NULL ORDER BY expires_at LIMIT :limit

-- name: expire_task
-- The results of a task and of its parts are gone; no row when they were gone before.
UPDATE task SET artifacts = '[]', expired_at = :now, expires_at = NULL, version = version + 1
WHERE (id = :id OR parent_id = :id) AND expired_at IS NULL AND finished_at IS NOT NULL RETURNING id

-- name: task_by_id
SELECT /*shared*/ * FROM task WHERE id = :id

-- name: open_tasks
-- A page of an account's unfinished tasks, oldest first, parents instead of their parts.
SELECT * FROM task WHERE account_id = :account_id AND finished_at IS NULL AND parent_id IS NULL AND seq > :after
ORDER BY seq LIMIT :limit

-- name: observed
-- How long the newest runs took, among the newest tasks.
SELECT model, finished_at - started_at AS took FROM (SELECT * FROM task ORDER BY seq DESC LIMIT :limit) AS newest
WHERE state = 'succeeded' AND parts = 0 AND started_at IS NOT NULL AND attempt = 1 ORDER BY finished_at

-- name: note_link_lifetime
-- How long a link that a key signs may live, at most.
UPDATE signing_key SET lifetime = :lifetime WHERE lifetime < :lifetime

-- name: delete_signing_key
DELETE FROM signing_key WHERE id = :id

-- ---- files

-- name: add_file
INSERT INTO file (id, account_id, object_key, media_type, size, width, height, duration, uses, used_at, created_at)
VALUES (:id, :account_id, :object_key, :media_type, :size, :width, :height, :duration, 0, :now, :now)

-- name: file
SELECT id, object_key, media_type, size, width, height, duration, account_id FROM file WHERE id = :id

-- name: use_file
-- Count the tasks that need a file; no row when it has been removed. The new time keeps it from being removed now.
UPDATE file SET uses = uses + :tasks, used_at = :now WHERE id = :id RETURNING id

-- name: leave_file
UPDATE file SET uses = uses - 1, used_at = :now WHERE id = :id AND uses > 0

-- name: unused_files
SELECT id, object_key, media_type, size, width, height, duration FROM file
WHERE uses = 0 AND used_at < :before ORDER BY used_at LIMIT :limit

-- name: remove_unused_file
-- No row when a task has come to need it meanwhile.
DELETE FROM file WHERE id = :id AND uses = 0 AND used_at < :before RETURNING object_key
