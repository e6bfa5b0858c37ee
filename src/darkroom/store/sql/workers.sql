-- Who works: one row for each worker process, renewed while it lives.

-- name: announce_worker
INSERT INTO worker (name, engines, models, labels, slots, version, seen_at)
VALUES (:name, :engines, :models, :labels, :slots, :version, :now)
ON CONFLICT (name) DO UPDATE SET engines = excluded.engines, models = excluded.models, labels = excluded.labels,
    slots = excluded.slots, version = excluded.version, seen_at = excluded.seen_at

-- name: workers
SELECT /*shared*/ * FROM worker WHERE seen_at >= :since ORDER BY name

-- name: forget_worker
DELETE FROM worker WHERE name = :name

-- name: forget_workers
DELETE FROM worker WHERE seen_at < :before
