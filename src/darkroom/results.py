"""Between engines and object storage: inputs come down, outputs are looked at and go up.

Results are written to `tasks/<task>/<attempt>/<n>` and become visible only when the store accepts the attempt's end, so
a stale attempt can write nothing over a good one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from pathlib import Path

from .core.errors import Code, TaskError
from .core.task import Artifact, Task
from .engines import Output, lies_in
from .engines._process import Children
from .finish import Finished, FinishRequest
from .log import Event, write
from .marks import Mark, Provenance, source_type
from .media import EXTENSIONS
from .moderation import Media, Moderation, Stage, Verdict
from .objects import Files
from .previews import MEDIA_TYPE
from .withheld import HeldForReviewError


class Results:
    """Moves files for the worker. `provenance` is what results tell of where they come from."""

    def __init__(
        self,
        objects: Files,
        finishers: Children,
        provenance: Provenance | None = None,
        moderation: Moderation | None = None,
    ) -> None:
        self.objects = objects
        self._moderation = moderation or Moderation(())
        self._finishers = finishers
        self._provenance = provenance or Provenance()

    async def fetch_inputs(self, task: Task, workdir: Path) -> tuple[Path, ...]:
        """Local copies of a task's inputs, in order."""
        paths = []
        for number, file in enumerate(task.inputs):
            path = workdir / f"input-{number}.{EXTENSIONS.get(file.media_type, 'bin')}"
            await self.objects.download(file.key, path)
            paths.append(path)
        return tuple(paths)

    async def keep(
        self, task: Task, outputs: Sequence[Output], workdir: Path, *, generative: bool = True
    ) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
        """Store outputs with their thumbnails; what the store did not take whole is removed again.

        `generative` says whether a generative AI model made them. What moderation refuses is not stored; what it holds
        is stored, and raised as `HeldForReviewError`.
        """
        check_outputs(outputs, workdir)
        allowed = not {"*", task.account_id}.isdisjoint(self._provenance.prompts)
        mark = mark_of(task, generative=generative, prompt=allowed)
        request = FinishRequest(tuple(output.path for output in outputs), workdir, mark, self._provenance)
        finished = await self._finishers.call(request, list[Finished])
        for reason in dict.fromkeys(item.unsigned for item in finished if item.unsigned):
            write(Event.SIGNING_FAILED, level=logging.WARNING, task=task.id, attempt=task.attempt, reason=reason)
        media = [Media(item.path, item.media_type) for item in finished]
        verdict = await self._moderation.decide(Stage.RESULT, task, media)
        artifacts: list[Artifact] = []
        try:
            for number, item in enumerate(finished):
                artifacts.append(await self._keep(f"tasks/{task.id}/{task.attempt}/{number}", item))
        except BaseException:
            await self.discard_attempt(task)
            raise
        warnings = [item.warnings for item in outputs] + [item.warnings for item in finished]
        told = tuple(warning for some in warnings for warning in some)
        if verdict is Verdict.REVIEW:
            raise HeldForReviewError(artifacts, told)
        return tuple(artifacts), told

    async def _keep(self, key: str, item: Finished) -> Artifact:
        thumbnail_key = f"{key}.thumbnail" if item.thumbnail else None
        puts = [self.objects.put(key, item.path, item.media_type)]
        if item.thumbnail and thumbnail_key:
            puts.append(self.objects.put(thumbnail_key, item.thumbnail, MEDIA_TYPE))
        await settled(*puts)
        return Artifact(
            key=key,
            media_type=item.media_type,
            size=item.size,
            width=item.width,
            height=item.height,
            thumbnail_key=thumbnail_key,
            blurhash=item.blurhash,
            duration=item.duration,
        )

    async def discard(self, artifacts: Sequence[Artifact]) -> None:
        """Remove results that nobody will see. What cannot be removed is logged and stays."""
        try:
            await self.objects.delete(*(key for item in artifacts for key in (item.key, item.thumbnail_key) if key))
        except TaskError as error:
            write(Event.STORAGE_FAILED, level=logging.WARNING, reason=error.detail or error.message)

    async def discard_attempt(self, task: Task) -> None:
        """Remove whatever one attempt has stored. What cannot be removed is logged and stays."""
        try:
            await self.objects.delete_below(f"tasks/{task.id}/{task.attempt}/")
        except TaskError as error:
            write(Event.STORAGE_FAILED, level=logging.WARNING, task=task.id, reason=error.detail or error.message)


def mark_of(task: Task, *, generative: bool, prompt: bool) -> Mark:
    """What a task's results tell of where they come from."""
    return Mark(
        model=task.model,
        task_id=task.public_id,
        digital_source_type=source_type(task.operation, generative=generative, inputs=bool(task.inputs)),
        created=task.started_at or task.created_at,
        prompt=str(task.params["prompt"]) if prompt and task.params.get("prompt") else None,
    )


def check_outputs(outputs: Sequence[Output], workdir: Path) -> None:
    """Refuse what an engine had no business to hand back: files from elsewhere, and files that are none."""
    for output in outputs:
        if not lies_in(workdir, output.path):
            message = "The engine failed because of an internal problem. Tell the operator of this server."
            raise TaskError(Code.ENGINE_FAILED, message, detail=f"{output.path} is no file in {workdir}")


async def settled(*works: Coroutine[None, None, None]) -> None:
    """Wait for all of it, also when one fails or this is canceled: what is removed afterwards must not come back."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    for error in [task.exception() for task in tasks]:
        if error is not None:
            raise error
