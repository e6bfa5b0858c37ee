-- Times are UTC milliseconds, credits and flags are integers, JSON is text. Both databases have the same columns.

CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    free BIGINT NOT NULL,
    paid BIGINT NOT NULL,
    held BIGINT NOT NULL CHECK (held >= 0),
    created_at BIGINT NOT NULL
);

CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    hint TEXT NOT NULL,
    name TEXT NOT NULL,
    rules TEXT NOT NULL,
    spent BIGINT NOT NULL,
    spent_day BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX api_key_account ON api_key (account_id);

CREATE TABLE signing_key (
    id TEXT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    lifetime BIGINT NOT NULL
);

CREATE TABLE file (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    object_key TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    duration DOUBLE PRECISION,
    uses BIGINT NOT NULL CHECK (uses >= 0),
    used_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX file_unused ON file (used_at) WHERE uses = 0;

CREATE TABLE task (
    seq BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL,
    public_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    dialect TEXT NOT NULL,
    operation TEXT NOT NULL,
    model TEXT NOT NULL,
    engine TEXT NOT NULL,
    params TEXT NOT NULL,
    inputs TEXT NOT NULL,
    count BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'canceled')),
    progress BIGINT NOT NULL CHECK (progress BETWEEN 0 AND 100),
    attempt BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    deadline BIGINT,
    lease_until BIGINT,
    worker TEXT,
    cancel BIGINT NOT NULL,
    checkpoint TEXT,
    stage TEXT NOT NULL,
    error_code TEXT,
    error_message TEXT,
    error_param TEXT,
    error_detail TEXT,
    warnings TEXT NOT NULL,
    artifacts TEXT NOT NULL,
    price BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    parent_id TEXT,
    parts BIGINT NOT NULL,
    metadata TEXT NOT NULL,
    extra TEXT NOT NULL,
    callbacks TEXT NOT NULL,
    key_id TEXT,
    idempotency_key TEXT,
    request_digest TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    expires_at BIGINT,
    expired_at BIGINT,
    version BIGINT NOT NULL,
    CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'canceled')))
);
CREATE UNIQUE INDEX task_id ON task (id);
CREATE UNIQUE INDEX task_public_id ON task (public_id);
CREATE UNIQUE INDEX task_idempotency ON task (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX task_queue ON task (priority DESC, seq, model) WHERE state = 'queued' AND parts = 0;
CREATE INDEX task_lease ON task (lease_until) WHERE state = 'running' AND parts = 0;
CREATE INDEX task_deadline ON task (deadline) WHERE state = 'queued' AND deadline IS NOT NULL;
CREATE INDEX task_account ON task (account_id, seq);
CREATE INDEX task_open ON task (account_id, seq) WHERE finished_at IS NULL AND parent_id IS NULL;
CREATE INDEX task_expiry ON task (expires_at) WHERE expires_at IS NOT NULL AND parent_id IS NULL;
CREATE INDEX task_key ON task (key_id) WHERE finished_at IS NULL AND parts = 0;
CREATE INDEX task_parent ON task (parent_id) WHERE parent_id IS NOT NULL;

-- A line moves credits between five places; what one gains others lose.
CREATE TABLE entry (
    seq BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id TEXT NOT NULL,
    task_id TEXT,
    public_id TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('grant', 'hold', 'capture', 'release', 'adjust')),
    free BIGINT NOT NULL,
    paid BIGINT NOT NULL,
    held BIGINT NOT NULL,
    bank BIGINT NOT NULL,
    revenue BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK (free + paid + held + bank + revenue = 0)
);
CREATE UNIQUE INDEX entry_task ON entry (task_id, kind);
CREATE INDEX entry_account ON entry (account_id, seq);
CREATE INDEX entry_public ON entry (public_id) WHERE public_id IS NOT NULL;

CREATE TABLE event (
    seq BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    n BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE UNIQUE INDEX event_task ON event (task_id, n);
CREATE INDEX event_account ON event (account_id, seq);

-- The ids of tasks that were submitted together, by the first of them.
CREATE TABLE batch (
    task_id TEXT NOT NULL PRIMARY KEY,
    public_ids TEXT NOT NULL
);

-- Tasks whose files are to be removed.
CREATE TABLE removal (
    task_id TEXT NOT NULL PRIMARY KEY
);

-- The digests of keys' secrets. A key that was rotated has two for a while.
CREATE TABLE key_secret (
    digest TEXT NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX key_secret_key ON key_secret (key_id);

-- What administrators did.
CREATE TABLE audit (
    seq BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- Rows of these tables are updated in place many times: leave room on their pages, and vacuum early.
ALTER TABLE task SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE account SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    url TEXT NOT NULL,
    lane TEXT NOT NULL,
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_until BIGINT,
    failures BIGINT NOT NULL,
    failing_since BIGINT,
    disabled_at BIGINT,
    disabled_reason TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_account ON webhook (account_id, created_at);

CREATE TABLE webhook_secret (
    account_id TEXT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_until BIGINT,
    created_at BIGINT NOT NULL
);

CREATE TABLE delivery (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    task_id TEXT,
    n BIGINT NOT NULL,
    event TEXT NOT NULL,
    url TEXT NOT NULL,
    lane TEXT NOT NULL,
    webhook_id TEXT,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'pending', 'sent', 'skipped', 'failed')),
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_until BIGINT,
    http_status BIGINT,
    error TEXT,
    begun_at BIGINT NOT NULL,
    finished_at BIGINT,
    created_at BIGINT NOT NULL,
    CHECK ((finished_at IS NOT NULL) = (status IN ('sent', 'skipped', 'failed')))
);
CREATE INDEX delivery_lane ON delivery (lane, due_at) WHERE status = 'pending';
CREATE INDEX delivery_task ON delivery (task_id, n);
CREATE INDEX delivery_account ON delivery (account_id, id);
CREATE INDEX delivery_webhook ON delivery (webhook_id) WHERE finished_at IS NULL;
