"""FastAPI with the cheapest look-up there is: keys in memory, one sqlite3 read on the loop's own thread, no ORM."""

from __future__ import annotations

import json
import sqlite3
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Request

from .views import DATABASE, TaskView, digest_of, task_view

TASK = "SELECT progress, created_at, finished_at, artifacts FROM task WHERE public_id = ? AND account_id = ?"
KEYS = "SELECT digest, account_id FROM key_secret JOIN api_key ON id = key_id WHERE revoked_at IS NULL"

connection = sqlite3.connect(DATABASE, isolation_level=None)
accounts: dict[str, str] = dict(connection.execute(KEYS).fetchall())
app = FastAPI()


@app.get("/v1/tasks/{task_id}")
async def read_task(task_id: str, request: Request, authorization: Annotated[str, Header()]) -> TaskView:
    account_id = accounts.get(digest_of(authorization))
    if account_id is None:
        raise HTTPException(401, "unknown key")
    row = connection.execute(TASK, (task_id, account_id)).fetchone()
    if row is None:
        raise HTTPException(404, "no such task")
    progress, created, finished, artifacts = row
    base_url = str(request.base_url).rstrip("/")
    return task_view(task_id, progress, created, finished, len(json.loads(artifacts)), base_url)
