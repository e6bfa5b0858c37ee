-- Who works. Lists are JSON; times are UTC milliseconds.

CREATE TABLE worker (
    name TEXT NOT NULL PRIMARY KEY,
    engines TEXT NOT NULL,
    models TEXT NOT NULL,
    labels TEXT NOT NULL,
    slots BIGINT NOT NULL,
    version TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);
