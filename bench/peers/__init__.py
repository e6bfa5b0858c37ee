"""What a user would write or install instead: servers that do the same work on the same SQLite file."""
