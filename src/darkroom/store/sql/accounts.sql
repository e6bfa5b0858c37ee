-- Accounts, credits, keys, and what administrators did.

-- name: add_account
-- No row when there is an account of this id.
INSERT INTO account (id, name, free, paid, held, created_at) VALUES (:id, :name, 0, 0, 0, :now)
ON CONFLICT DO NOTHING RETURNING id

-- name: account
SELECT id, name, free + paid AS available, held, created_at, free FROM account WHERE id = :id

-- name: accounts
SELECT id, name, free + paid AS available, held, created_at, free FROM account ORDER BY created_at, id

-- name: lock_purses
SELECT free, paid FROM account WHERE id = :id /*for update*/

-- name: move_credits
-- Carry ledger entries to an account's balance, and draw credits, from the free purse first: how many came from there.
-- No row when there are too few.
UPDATE /*contended*/ account SET drawn_free = CASE WHEN free < :draw THEN free ELSE :draw END,
    free = free + :free - CASE WHEN free < :draw THEN free ELSE :draw END,
    paid = paid + :paid - CASE WHEN free < :draw THEN :draw - free ELSE 0 END, held = held + :held
WHERE id = :account_id AND free + paid >= :draw RETURNING drawn_free

-- name: add_entry
-- A ledger line; no row when the task already has one of this kind.
INSERT /*last*/ INTO entry (account_id, task_id, public_id, kind, free, paid, held, bank, revenue, created_at)
VALUES (:account_id, :task_id, :public_id, :kind, :free, :paid, :held, :bank, :revenue, :now)
ON CONFLICT DO NOTHING RETURNING seq

-- name: entries
SELECT seq, kind, free, paid, held, public_id, created_at, task_id FROM entry
WHERE account_id = :account_id AND seq < :before ORDER BY seq DESC LIMIT :limit

-- name: entries_of_task
SELECT seq, kind, free, paid, held, public_id, created_at, task_id FROM entry
WHERE account_id = :account_id AND public_id = :public_id AND seq < :before ORDER BY seq DESC LIMIT :limit

-- name: page_of_lines
-- What the next so many lines add up to, and when the newest of them was written.
SELECT COUNT(*) AS lines, COALESCE(MAX(seq), 0) AS last, COALESCE(MAX(created_at), 0) AS newest,
    CAST(COALESCE(SUM(free + paid), 0) AS BIGINT) AS available, CAST(COALESCE(SUM(held), 0) AS BIGINT) AS held FROM (
    SELECT seq, created_at, free, paid, held FROM entry WHERE seq > :after ORDER BY seq LIMIT :limit
) AS page

-- name: behind_lines
-- What the accounts have beyond the lines behind a number, at one moment. (No line can be off: the table refuses it.)
SELECT CAST((SELECT COALESCE(SUM(free + paid), 0) FROM account) - COALESCE(SUM(free + paid), 0) AS BIGINT) AS available,
    CAST((SELECT COALESCE(SUM(held), 0) FROM account) - COALESCE(SUM(held), 0) AS BIGINT) AS held
FROM entry WHERE seq > :after

-- ---- keys

-- name: add_key
INSERT INTO api_key (id, account_id, hint, name, rules, spent, spent_day, created_at)
VALUES (:id, :account_id, :hint, :name, :rules, 0, 0, :now)

-- name: add_secret
INSERT INTO key_secret (digest, key_id, created_at) VALUES (:digest, :key_id, :now)

-- name: key_by_secret
SELECT /*shared*/ api_key.account_id, api_key.id, api_key.rules, key_secret.expires_at
FROM key_secret JOIN api_key ON api_key.id = key_secret.key_id
WHERE key_secret.digest = :digest AND api_key.revoked_at IS NULL

-- name: keys
SELECT id, account_id, hint, name, created_at, revoked_at, rules FROM api_key ORDER BY created_at, id

-- name: key
SELECT id, account_id, hint, name, created_at, revoked_at, rules FROM api_key WHERE id = :id

-- name: rotate_key
UPDATE api_key SET hint = :hint WHERE id = :id AND revoked_at IS NULL
RETURNING id, account_id, hint, name, created_at, revoked_at, rules

-- name: expire_secrets
-- The earlier end counts.
UPDATE key_secret SET expires_at = :until WHERE key_id = :key_id AND (expires_at IS NULL OR expires_at > :until)

-- name: revoke_key
UPDATE api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL
RETURNING id, account_id, hint, name, created_at, revoked_at, rules

-- name: revoke_keys_named
UPDATE api_key SET revoked_at = :now WHERE account_id = :account_id AND name = :name AND revoked_at IS NULL

-- name: lock_key
SELECT spent, spent_day FROM api_key WHERE id = :id AND revoked_at IS NULL /*for update*/

-- name: active_of_key
SELECT COUNT(*) AS tasks FROM task WHERE key_id = :key_id AND finished_at IS NULL AND parts = 0

-- name: spend
UPDATE api_key SET spent = :spent, spent_day = :day WHERE id = :id

-- name: unspend
-- What a task of that day did not cost after all.
UPDATE api_key SET spent = spent - :amount WHERE id = :id AND spent_day = :day AND spent >= :amount

-- ---- audit

-- name: add_audit
INSERT INTO audit (at, actor, action, subject, detail) VALUES (:now, :actor, :action, :subject, :detail)

-- name: audit
SELECT seq, at, actor, action, subject, detail FROM audit WHERE seq < :before ORDER BY seq DESC LIMIT :limit
