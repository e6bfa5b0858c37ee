"""FastAPI with the SQLAlchemy ORM over aiosqlite, as its documentation shows it: a session for each request.

To its favour: submits go through an engine with a single connection, so that they queue instead of failing with
"database is locked"; the key is one indexed read; uvicorn runs with uvloop and httptools.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from sqlalchemy import JSON, event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .views import DATABASE, SubmittedView, TaskBody, TaskView, digest_of, task_view

DAY = 86_400_000  # milliseconds


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {dict[str, Any]: JSON, list[Any]: JSON}


class Account(Base):
    __tablename__ = "account"
    id: Mapped[str] = mapped_column(primary_key=True)
    free: Mapped[int]
    held: Mapped[int]


class ApiKey(Base):
    __tablename__ = "api_key"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    revoked_at: Mapped[int | None]


class KeySecret(Base):
    __tablename__ = "key_secret"
    digest: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]


class Entry(Base):
    __tablename__ = "entry"
    seq: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    task_id: Mapped[str]
    public_id: Mapped[str]
    kind: Mapped[str]
    free: Mapped[int]
    paid: Mapped[int] = mapped_column(default=0)
    held: Mapped[int]
    bank: Mapped[int] = mapped_column(default=0)
    revenue: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int]


class Event(Base):
    __tablename__ = "event"
    seq: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    task_id: Mapped[str]
    n: Mapped[int]
    state: Mapped[str]
    attempt: Mapped[int]
    at: Mapped[int]


class Task(Base):
    __tablename__ = "task"
    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    public_id: Mapped[str]
    account_id: Mapped[str]
    dialect: Mapped[str] = mapped_column(default="peer")
    operation: Mapped[str]
    model: Mapped[str]
    engine: Mapped[str] = mapped_column(default="peer")
    params: Mapped[dict[str, Any]]
    inputs: Mapped[list[Any]] = mapped_column(default=list)
    count: Mapped[int]
    state: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[int] = mapped_column(default=0)
    stage: Mapped[str] = mapped_column(default="")
    attempt: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    priority: Mapped[int] = mapped_column(default=0)
    run_at: Mapped[int]
    deadline: Mapped[int]
    cancel: Mapped[int] = mapped_column(default=0)
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    artifacts: Mapped[list[Any]] = mapped_column(default=list)
    price: Mapped[int]
    cost: Mapped[int] = mapped_column(default=0)
    parts: Mapped[int] = mapped_column(default=0)
    # "metadata" is taken by SQLAlchemy
    luggage: Mapped[dict[str, Any]] = mapped_column("metadata")
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)
    callbacks: Mapped[str] = mapped_column(default="")
    created_at: Mapped[int]
    finished_at: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)


url = f"sqlite+aiosqlite:///{DATABASE}"
reading = create_async_engine(url)
writing = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=60)
read_session = async_sessionmaker(reading, expire_on_commit=False)
write_session = async_sessionmaker(writing, expire_on_commit=False)
app = FastAPI()


@event.listens_for(reading.sync_engine, "connect")
@event.listens_for(writing.sync_engine, "connect")
def durable(connection: Any, _record: Any) -> None:
    """The same settings as Darkroom's: a log, and an fsync for each commit."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


async def reader() -> AsyncIterator[AsyncSession]:
    async with read_session() as session:
        yield session


async def writer() -> AsyncIterator[AsyncSession]:
    async with write_session() as session:
        yield session


Reader = Annotated[AsyncSession, Depends(reader)]
Writer = Annotated[AsyncSession, Depends(writer)]
Authorization = Annotated[str, Header()]


async def account_of(session: AsyncSession, authorization: str) -> str:
    """The account of a key."""
    same = (KeySecret.key_id == ApiKey.id, KeySecret.digest == digest_of(authorization))
    query = select(ApiKey).join(KeySecret, same[0]).where(same[1], ApiKey.revoked_at.is_(None))
    key = (await session.scalars(query)).one_or_none()
    if key is None:
        raise HTTPException(401, "unknown key")
    return key.account_id


@app.get("/v1/tasks/{task_id}")
async def read_task(task_id: str, request: Request, session: Reader, authorization: Authorization) -> TaskView:
    account_id = await account_of(session, authorization)
    query = select(Task).where(Task.public_id == task_id, Task.account_id == account_id)
    task = (await session.scalars(query)).one_or_none()
    if task is None:
        raise HTTPException(404, "no such task")
    base_url = str(request.base_url).rstrip("/")
    finished = task.finished_at or task.created_at
    return task_view(task.public_id, task.progress, task.created_at, finished, len(task.artifacts), base_url)


@app.post("/api/tasks", status_code=201)
async def submit(body: TaskBody, session: Writer, authorization: Authorization) -> SubmittedView:
    account_id = await account_of(session, authorization)
    now, price = time.time_ns() // 1_000_000, body.count
    account = await session.get_one(Account, account_id)
    if account.free < price:
        raise HTTPException(402, "too few credits")
    account.free -= price
    account.held += price
    task = Task(
        id=str(uuid.uuid4()),
        public_id=secrets.token_hex(16),
        account_id=account_id,
        operation=body.operation,
        model=body.model,
        params=body.params,
        count=body.count,
        run_at=now,
        deadline=now + DAY,
        price=price,
        luggage=body.metadata,
        created_at=now,
    )
    session.add_all(
        [
            task,
            Entry(
                account_id=account_id,
                task_id=task.id,
                public_id=task.public_id,
                kind="hold",
                free=-price,
                held=price,
                created_at=now,
            ),
            Event(account_id=account_id, task_id=task.id, n=1, state="queued", attempt=0, at=now),
        ]
    )
    await session.commit()
    return SubmittedView(
        id=task.public_id,
        operation=task.operation,
        model=task.model,
        state=task.state,
        progress=task.progress,
        attempt=task.attempt,
        created_at=datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds"),
        started_at=None,
        finished_at=None,
        position=None,
        eta_seconds=None,
        outputs=[],
        error=None,
        warnings=[],
        cost=0,
        children=[],
        metadata=task.luggage,
    )
