"""What happens to one task or to all of an account, as it happens: first how things stand, then each change.

Guarantees: each change of state is told once, with its number, in order; who comes back with the last number it saw is
told everything since; progress between two changes of state is told as it is when the follower looks. `None` means
that a look found nothing new: the follower says that it still lives.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from .core.commands import Following, Update
from .core.task import State, Task
from .hub import news_of, woken
from .notices import Notices
from .service import Service

LOOK = 5.0  # seconds after which a follower looks without having been woken
SOON = 0.01  # seconds, where something was written between two reads, and is told by its own number
PAGE = 100


def follow(service: Service, following: Following) -> AsyncGenerator[Update | None, None]:
    """The updates of a task, which end with it, or those of an account, which do not."""
    if following.task is not None:
        return follow_task(service, following.task, following.after)
    return follow_account(service, following.account_id, following.after)


async def follow_task(service: Service, task: Task, after: int | None) -> AsyncGenerator[Update | None, None]:
    """How a task stands, then each change until it is final; `not_found` when it is deleted meanwhile.

    Numbers are the task's own. A follower with a number gets what came after it instead of how things stand.
    """
    told, shown = after, None
    with service.hub.watch(*topics(task)) as happened:
        while True:
            events = await service.store.events(task.id)
            task = await service.own_task(task.account_id, task.public_id)
            result = await service.result(task)
            ahead = bool(events) and not task.parts and (task.state, task.attempt) != events[-1][1:3]
            if told is None:
                told, state, attempt = events[-1][:3] if events else (0, task.state, task.attempt)
                yield Update(told, state, attempt, result)
            elif new := [event for event in events if event[0] > told]:
                for told, state, attempt, _ in new:
                    yield Update(told, state, attempt, result)
            elif shown != (task.version, result.position) and not (ahead or task.state.final):
                yield Update(None, task.state, task.attempt, result)
            if events and events[-1][1].final:
                return
            shown = task.version, result.position
            yield None
            if service.hub.closing():
                return
            await woken(happened, SOON if ahead or task.state.final else LOOK)


def topics(task: Task) -> tuple[str, ...]:
    """What the hub calls a task's changes; those of parts go by their parent's internal id."""
    ids = (task.public_id, task.id) if task.parts else (task.public_id,)
    return (*ids, *map(news_of, ids))


async def follow_account(service: Service, account_id: str, after: int | None) -> AsyncGenerator[Update | None, None]:
    """Every unfinished task, a mark, then each change. Parts show in their parents."""
    versions: dict[str, int] = {}
    with service.hub.collect(account_id) as changed:
        if after is None:
            after = await service.store.last_event(account_id)
            async for task in unfinished(service, account_id):
                versions[task.id] = task.version
                yield Update(None, task.state, task.attempt, await service.result(task))
        yield Update(after, None, 0, None)
        if service.hub.closing():
            return
        notices_of = Notices(service.store, service.hub, reread=LOOK).follow(account_id, after)
        async with aclosing(notices_of):
            async for notices in notices_of:
                for notice in notices:
                    if notice.task.parent_id is None:
                        remember(versions, notice.task)
                        result = await service.result(notice.task)
                        yield Update(notice.number, notice.state, notice.attempt, result)
                while changed:
                    found = await service.store.task_of_id(changed.pop())
                    if found is not None and not found.state.final and versions.get(found.id) != found.version:
                        remember(versions, found)
                        yield Update(None, found.state, found.attempt, await service.result(found))
                yield None
                if service.hub.closing():
                    return


def remember(versions: dict[str, int], task: Task) -> None:
    """Which version of a task was told, as long as it may change."""
    if task.state in (State.QUEUED, State.RUNNING):
        versions[task.id] = task.version
    else:
        versions.pop(task.id, None)


async def unfinished(service: Service, account_id: str) -> AsyncGenerator[Task, None]:
    """An account's unfinished tasks, oldest first."""
    after = 0
    while tasks := await service.store.open_tasks(account_id, after, PAGE):
        for task in tasks:
            after = task.seq
            yield task
