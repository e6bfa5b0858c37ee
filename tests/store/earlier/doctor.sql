
-- name: wrong_balances
SELECT account.id, account.free, account.paid, account.held, COALESCE(SUM(entry.free), 0) AS lines_free,
    COALESCE(SUM(entry.paid), 0) AS lines_paid, COALESCE(SUM(entry.held), 0) AS lines_held
FROM account LEFT JOIN entry ON entry.account_id = account.id
GROUP BY account.id, account.free, account.paid, account.held
HAVING account.free <> COALESCE(SUM(entry.free), 0) OR account.paid <> COALESCE(SUM(entry.paid), 0)
    OR account.held <> COALESCE(SUM(entry.held), 0)

-- name: unbalanced_entries
SELECT CAST(entry.seq AS TEXT) AS id FROM entry LEFT JOIN account ON account.id = entry.account_id
WHERE entry.free + entry.paid + entry.held + entry.bank + entry.revenue <> 0 OR account.id IS NULL

-- name: wrong_holds
SELECT task.public_id AS id, CASE WHEN task.finished_at IS NULL THEN task.price ELSE 0 END AS due,
    COALESCE((SELECT SUM(entry.held) FROM entry WHERE entry.task_id = task.id), 0) AS held
FROM task WHERE parts = 0 AND (price > 0 OR EXISTS (SELECT 1 FROM entry WHERE entry.task_id = task.id))
    AND COALESCE((SELECT SUM(entry.held) FROM entry WHERE entry.task_id = task.id), 0)
        <> CASE WHEN task.finished_at IS NULL THEN task.price ELSE 0 END

-- name: lost_holds
SELECT entry.task_id AS id FROM entry LEFT JOIN task ON task.id = entry.task_id
WHERE entry.task_id IS NOT NULL AND task.id IS NULL GROUP BY entry.task_id HAVING SUM(entry.held) <> 0

-- name: wrong_costs
SELECT task.public_id AS id FROM task
WHERE finished_at IS NOT NULL AND parts = 0
    AND cost <> COALESCE((SELECT SUM(entry.revenue) FROM entry WHERE entry.task_id = task.id), 0)

-- name: wrong_leases
SELECT public_id AS id FROM task WHERE parts = 0 AND (
    (state = 'running') <> (lease_until IS NOT NULL) OR (state = 'running') <> (worker IS NOT NULL)
    OR lease_until > :latest OR (deadline IS NOT NULL AND deadline < created_at))

-- name: stuck_parents
SELECT parent.id, parent.public_id FROM task AS parent
WHERE parent.parts > 0 AND parent.finished_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM task AS part WHERE part.parent_id = parent.id AND part.finished_at IS NULL)
    AND EXISTS (SELECT 1 FROM task AS part WHERE part.parent_id = parent.id)

-- name: wrong_families
SELECT parent.public_id AS id FROM task AS parent
WHERE parent.parts > 0 AND (
    parent.parts <> (SELECT COUNT(*) FROM task AS part WHERE part.parent_id = parent.id)
    OR (parent.finished_at IS NOT NULL
        AND EXISTS (SELECT 1 FROM task AS part WHERE part.parent_id = parent.id AND part.finished_at IS NULL)))
UNION ALL
SELECT part.public_id AS id FROM task AS part
WHERE part.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM task AS parent WHERE parent.id = part.parent_id)

-- name: stored_files
SELECT id, object_key, uses, created_at FROM file WHERE id > :after ORDER BY id LIMIT :limit

-- name: needed_inputs
SELECT id, inputs, seq FROM task WHERE finished_at IS NULL AND parts = 0 AND seq > :after ORDER BY seq LIMIT :limit

-- name: task_files
SELECT artifacts, seq FROM task WHERE seq > :after AND artifacts <> '[]' ORDER BY seq LIMIT :limit

-- name: objects_of_task
SELECT finished_at, artifacts FROM task WHERE id = :id

-- name: paid_for
SELECT 1 AS known FROM entry WHERE task_id = :id LIMIT 1

-- name: wrong_uses
SELECT id FROM file WHERE id = :id AND uses <> (SELECT COUNT(*) FROM task
    WHERE finished_at IS NULL AND parts = 0 AND REPLACE(inputs, :quoted, '') <> inputs)

-- name: lock_file
SELECT id FROM file WHERE id = :id /*for update*/

-- name: count_uses
UPDATE file SET uses = (SELECT COUNT(*) FROM task
    WHERE finished_at IS NULL AND parts = 0 AND REPLACE(inputs, :quoted, '') <> inputs) WHERE id = :id RETURNING uses

-- name: sum_balance
UPDATE account SET free = (SELECT COALESCE(SUM(free), 0) FROM entry WHERE account_id = :id),
    paid = (SELECT COALESCE(SUM(paid), 0) FROM entry WHERE account_id = :id),
    held = (SELECT COALESCE(SUM(held), 0) FROM entry WHERE account_id = :id) WHERE id = :id RETURNING id
