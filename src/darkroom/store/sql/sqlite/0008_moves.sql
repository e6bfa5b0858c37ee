-- Moves of the whole database to another one: from here (departing, then departed) or to here (arriving, then arrived).

CREATE TABLE move (
    id TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('departing', 'departed', 'arriving', 'arrived')),
    other TEXT NOT NULL,
    at INTEGER NOT NULL
);
