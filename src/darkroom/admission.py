"""What a task has to pass before it is stored: the consent of people whose faces are used, and moderation."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from .core.errors import Code, TaskError
from .core.review import HELD
from .core.task import File, Operation, Task
from .media import EXTENSIONS
from .moderation import Media, Moderation, Stage, Verdict
from .objects import Objects

FACES = frozenset({Operation.IMAGE_FACE_SWAP, Operation.VIDEO_FACE_SWAP})


@dataclass(frozen=True, slots=True)
class Admission:
    """Lets tasks in. `require_consent`: face swaps must say that whoever is shown agrees."""

    objects: Objects
    moderation: Moderation
    require_consent: bool = False

    async def admit(self, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        """The tasks as they are to be stored, perhaps held; a refusal is a `TaskError`."""
        first = tasks[0]
        if self.require_consent and first.operation in FACES and first.metadata.get("consent") is not True:
            raise TaskError(
                Code.FORBIDDEN,
                "This server swaps faces only with consent. If everybody who is shown agrees, submit with "
                "POST /api/tasks and 'metadata': {'consent': true}.",
                param="metadata.consent",
            )
        if not self.moderation.wanted:
            return tasks
        verdict = await self._moderated(first, {file.key: file for task in tasks for file in task.inputs})
        return tuple(replace(task, run_at=HELD) for task in tasks) if verdict is Verdict.REVIEW else tasks

    async def _moderated(self, task: Task, files: dict[str, File]) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
            media = [
                Media(Path(folder) / f"input-{number}.{EXTENSIONS.get(file.media_type, 'bin')}", file.media_type)
                for number, file in enumerate(files.values())
            ]
            await asyncio.gather(
                *(self.objects.download(key, each.path) for key, each in zip(files, media, strict=True))
            )
            return await self.moderation.decide(Stage.SUBMIT, task, media)
