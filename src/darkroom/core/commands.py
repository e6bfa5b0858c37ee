"""What a caller can ask for. A dialect decodes each request into one of these; the service answers with a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .admin_commands import AdminCommand, AdminResult, ReviewCommand
from .catalog import Model
from .errors import TaskError
from .ledger import Line
from .task import File, Operation, State, Task
from .unchanged import unchanged
from .webhook_commands import WebhookCommand, WebhookResult


@dataclass(frozen=True, slots=True)
class Upload:
    """An input that was handed in before or with this request, by its file id."""

    file_id: str


@dataclass(frozen=True, slots=True)
class Link:
    """An input to be fetched from an http or https URL."""

    url: str


@dataclass(frozen=True, slots=True)
class Inline:
    """An input that came inside the request as base64, with or without a `data:` prefix."""

    data: str


Source = Upload | Link | Inline


@unchanged(frozen=True, slots=True, kw_only=True)
class Submit:
    """Create a task. With `parts`, a parent with one child task for each part's inputs.

    `wait` is in seconds: the answer is held until the task is final, or until the time is over. With `embed` it then
    carries the results themselves. `extra` is the dialect's own luggage, kept with the task and handed back.
    `refusal` is what the dialect found wrong with the rest, for vendors that look first whether the model exists.
    `webhook` is a URL that is told of the task's end, or of `webhook_events`; `base_url` is where the dialect was
    reached, for the links in what it is told. `start_at` and `deadline` are UTC milliseconds: when the task may start
    at the earliest, and when it fails unless it is done.
    """

    operation: Operation
    model: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Source, ...] = ()
    parts: tuple[tuple[Source, ...], ...] = ()
    count: int = 1
    wait: float = 0
    start_at: int | None = None
    deadline: int | None = None
    embed: bool = False
    webhook: str | None = None
    webhook_events: tuple[State, ...] = ()
    base_url: str = ""
    idempotency_key: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    refusal: TaskError | None = None


@dataclass(frozen=True, slots=True)
class SubmitBatch:
    """Create many tasks, all or none of them. They have no parts, and nobody waits for them.

    The dialect names the `base_url` of each, which other submits are told: ten thousand copies take long.
    """

    tasks: tuple[Submit, ...]
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Get:
    """Read one task by its public id, at once or, with `wait` seconds, when it is final."""

    task_id: str
    wait: float = 0


@dataclass(frozen=True, slots=True)
class List:
    """Read a page of the account's tasks, newest first; `operations` keeps those of some kinds.

    Pages go on from a `cursor`, or, for vendors that number their pages, after `skip` tasks.
    """

    state: State | None = None
    limit: int = 20
    cursor: str | None = None
    skip: int = 0
    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a task: at once if it waits, within seconds if it runs."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget tasks and remove their results; tasks that still run are canceled first."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeepFile:
    """Answer with a file that this request uploaded."""

    file_id: str


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signed link carries: the path that was signed, its expiry (UTC milliseconds) and the signature in hex."""

    path: str
    expires: int
    digest: str


@dataclass(frozen=True, slots=True)
class Download:
    """Read one result of a task, or its thumbnail, by a signed link."""

    task_id: str
    index: int
    signature: Signature
    thumbnail: bool = False


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Read one result of a task of one's own, without a signed link."""

    task_id: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class ReadAll:
    """Read all results of some tasks: of one by a signed link, of any with the key of their owner."""

    task_ids: tuple[str, ...]
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Follow:
    """Be told what happens to a task, or without one to all of the account, from now on or since a number.

    A signed link may stand in for the key; then `account_id` says whose tasks, where it is not about one of them.
    """

    task_id: str | None = None
    after: int | None = None
    account_id: str | None = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class DownloadFile:
    """Read an uploaded file by a signed link."""

    file_id: str
    signature: Signature


@dataclass(frozen=True, slots=True)
class DownloadPreview:
    """Read the picture that shows the work of a running task, by a signed link."""

    task_id: str
    signature: Signature


@dataclass(frozen=True, slots=True)
class DownloadHeld:
    """Read what a held task's run made, by a signed link."""

    task_id: str
    index: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class GetAccount:
    """Read the caller's own account."""


@dataclass(frozen=True, slots=True)
class ListModels:
    """Read the catalog; anybody may. `names` that mean a model for their operation come first, each as that model."""

    names: tuple[tuple[str, Operation], ...] = ()


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Ask whether the server is alive and, with `ready`, whether it can work; anybody may."""

    ready: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """Get a key for a device, whose account is opened at its first login. The keys of earlier logins end."""

    device: str


@dataclass(frozen=True, slots=True)
class ListEntries:
    """Read a page of the account's ledger, newest first; with `task_id` (public) that task's lines alone."""

    task_id: str | None = None
    limit: int = 20
    cursor: str | None = None


TaskCommand = Submit | SubmitBatch | Get | List | Cancel | Delete
OperatorCommand = AdminCommand | ReviewCommand
OwnCommand = TaskCommand | KeepFile | ReadResult | GetAccount | ListEntries | WebhookCommand | OperatorCommand
OpenCommand = Download | DownloadFile | DownloadPreview | DownloadHeld | ListModels | CheckHealth | Login
LinkedCommand = ReadAll | Follow
Command = OwnCommand | OpenCommand | LinkedCommand


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays. `available` credits can be spent, `held` ones are set aside for unfinished tasks.

    `available` are the `free` ones, which are spent first, and the `paid` ones.
    """

    id: str
    name: str
    available: int
    held: int
    created_at: int
    free: int = 0

    @property
    def paid(self) -> int:
        """Credits of the paid purse that can be spent."""
        return self.available - self.free


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task as answered to Submit, Get and Cancel.

    `position` in the queue counts from 1; `eta` and `retry_after`, when the next poll is worth while, are in seconds.
    `embedded` are the contents of its results, where the command asked for them. `possible` is false when it waits and
    no worker is there that can run it.
    """

    task: Task
    position: int | None = None
    eta: float | None = None
    retry_after: int | None = None
    embedded: tuple[bytes, ...] = ()
    possible: bool = True


@dataclass(frozen=True, slots=True)
class TaskEvent(TaskResult):
    """A task as a webhook is told of it: as it is now, what happened, and when (UTC milliseconds)."""

    event: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """The public ids of many new tasks, in the order in which they were asked for."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of tasks and where the next one starts."""

    tasks: tuple[Task, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many tasks were deleted."""

    count: int


@dataclass(frozen=True, slots=True)
class Content:
    """A stored file to be sent: its key in object storage, media type, size in bytes and a strong entity tag.

    `size` is `None` where only the storage knows it. `name` is what the file is called when it is saved, less the
    extension. Who has a signed link may be sent to the storage itself, until the link `expires` (UTC milliseconds).
    """

    key: str
    media_type: str
    size: int | None
    etag: str
    name: str = "file"
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """Stored files to be sent as one, and what it is called, less the extension."""

    files: tuple[Content, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Following:
    """Leave to be told of an account's tasks, or of one of them, since a number or from now on."""

    account_id: str
    task: Task | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Update:
    """What a follower is told: a task as it is now and, with a `number`, that the state began in the run `attempt`.

    Numbers grow along the stream. Without a task it only says that everything until now was told.
    """

    number: int | None
    state: State | None
    attempt: int
    result: TaskResult | None


@dataclass(frozen=True, slots=True)
class Health:
    """The server is well."""


@dataclass(frozen=True, slots=True)
class Session:
    """A login: the new key, and whether its account was opened by it."""

    key: str
    account: Account
    opened: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to a task of an account: `state` began, in the run `attempt`, 0 for a new task.

    The task and the account are as they are now, which may be later. `number` tells notices apart.
    """

    number: int
    state: State
    attempt: int
    task: Task
    account: Account


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of the ledger and where the next one starts."""

    lines: tuple[Line, ...]
    next_cursor: str | None


Shown = TaskResult | Batch | TaskPage | Deleted | File | Content | Archive | Following | Account
Result = Shown | tuple[Model, ...] | Health | Session | EntryPage | WebhookResult | AdminResult
