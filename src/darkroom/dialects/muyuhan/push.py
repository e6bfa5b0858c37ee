"""The socket: frames `{"type", "msg", "data"}` about an account's tasks and credits, as things happen.

https://doc.muyuhan.xin/api/send (2026-02-03). The types of a task's frames are its states.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...core.commands import Account, Notice
from ...core.task import State
from .. import Socket, WireRequest, bearer_or_bare
from .money import purses
from .shapes import STATES, TaskView, task_view

HEARTBEAT, CHARGED, REFUNDED, TAKEN_OVER = 1, 5, 6, 50
WORDS = {10: "The task was submitted.", 20: "The task has started.", 30: "The task is done.", 2: "The task has failed."}


class Frame(msgspec.Struct):
    """What the server sends."""

    type: int
    msg: str
    data: Any = None


class TaskData(TaskView, rename="camel"):
    """A task as `/getTaskInfo` answers it, and `fileUrl`, its first result, as the sister applications have it."""

    file_url: str


class BalanceData(msgspec.Struct, rename="camel"):
    """Credits that moved, and what there is now."""

    count: int
    balance: int
    pay_balance: int
    free_balance: int
    strength_balance: int = 0


def credential(request: WireRequest) -> str | None:
    """The token in the address, or in `Authorization`."""
    return request.query.get("token") or bearer_or_bare(request)


def encode(notice: Notice, request: WireRequest) -> tuple[str, ...]:
    """The frames for one thing that happened.

    Of a task with parts the whole is told, and besides the end of each part, with the credits that it gives back.
    """
    task, state = notice.task, notice.state
    whole = task.parent_id is None
    frames: list[Frame] = []
    if state is State.QUEUED:
        if whole and not notice.attempt:  # otherwise it waits for its next try, which is no news
            frames = [told(notice, request), *balance(CHARGED, "Credits were charged.", task.price, notice.account)]
    elif whole or state.final:
        frames = [told(notice, request)]
    if state.final and not task.children:
        frames += balance(REFUNDED, "Credits were given back.", task.price - task.cost, notice.account)
    return tuple(msgspec.json.encode(frame).decode() for frame in frames)


def told(notice: Notice, request: WireRequest) -> Frame:
    """A task's frame. Its state is the one that began; the parts are shown as they are now."""
    view, number = task_view(notice.task, request), STATES[notice.state]
    if not notice.state.final:
        view = msgspec.structs.replace(view, state=number, reason="", thumb_file_url="", image_list=[])
    origin = view.image_list[0].origin if view.image_list else ""
    return Frame(number, view.reason or WORDS[number], TaskData(**msgspec.structs.asdict(view), file_url=origin))


def balance(kind: int, message: str, count: int, account: Account) -> list[Frame]:
    """The frame for credits that moved, if any did."""
    paid, free = purses(account)
    return [Frame(kind, message, BalanceData(count, paid + free, paid, free))] if count else []


SOCKET = Socket(
    path="/ws",
    credential=credential,
    encode=encode,
    beat=msgspec.json.encode(Frame(HEARTBEAT, "heartbeat")).decode(),
    replaced=msgspec.json.encode(Frame(TAKEN_OVER, "This token has ended: the device has logged in again.")).decode(),
    summary="Be told what happens to tasks and credits",
)
