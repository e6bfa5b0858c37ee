-- How many of the credits that an account gave last came from its free purse: told by the statement that draws them.

ALTER TABLE account ADD COLUMN drawn_free INTEGER NOT NULL DEFAULT 0;
