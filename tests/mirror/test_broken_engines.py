"""The mirror suite proves itself: mistakes that cost money, planted in a sound engine, are caught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from darkroom.core.errors import TaskError
from darkroom.engines import Context, Engine, Job, Output
from darkroom.testing.mirror import MirrorSuite


class Mistaken:
    """An engine with a mistake: everything else is the sound engine's."""

    def __init__(self, sound: Engine) -> None:
        self.sound = sound

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sound, name)

    async def __aenter__(self) -> Self:
        await self.sound.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.sound.__aexit__(*exc)


class Forgetful(Mistaken):
    """Saves no handle."""

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        async def saved(_: str) -> None:
            return None

        context.checkpoint = saved  # type: ignore[method-assign]
        return await self.sound.run(job, context)


class StartingAnew(Mistaken):
    """Saves the handle, and submits again."""

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        return await self.sound.run(Job(**{**fields(job), "checkpoint": None, "task_id": f"{job.attempt}"}), context)


class Talkative(Mistaken):
    """Tells the key with what went wrong."""

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        try:
            return await self.sound.run(job, context)
        except TaskError as error:
            error.detail = f"{error.detail} (sent with {self.options.key})"
            raise


class Blaming(Mistaken):
    """Tells the caller what the vendor said."""

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        try:
            return await self.sound.run(job, context)
        except TaskError as error:
            raise TaskError(error.code, error.detail or "", retryable=error.retryable, detail=error.detail) from None


def fields(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in job.__slots__}


MISTAKES = {
    "no handle is saved": (Forgetful, "test_a_later_attempt_goes_on_where_one_was_stopped", "did not save the vendor"),
    "a submit again": (StartingAnew, "test_a_later_attempt_goes_on_where_one_was_stopped", "it was paid twice"),
    "the key in an error": (Talkative, "test_a_wrong_key_is_told_to_the_operator_alone", "the key is shown"),
    "the vendor's words": (Blaming, "test_a_failure_is_told_with_its_reason", "for the operator alone"),
}


class Planted(MirrorSuite):
    """The suite, run by the tests here and not by itself."""

    name = "tensorslab"
    __test__ = False
    mistake: type[Mistaken]

    def engine(self, key: str | None = None) -> Engine:
        return self.mistake(super().engine(key))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def planted() -> Iterator[type[Planted]]:
    Planted.setup_class()
    yield Planted
    Planted.teardown_class()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_caught(planted: type[Planted], tmp_path: Path, mistake: str) -> None:
    suite = planted()
    suite.keys = []
    suite.mistake, test, said = MISTAKES[mistake]
    with pytest.raises(AssertionError, match=said):
        getattr(suite, test)(tmp_path)


def test_without_a_mistake_these_tests_pass(planted: type[Planted], tmp_path: Path) -> None:
    suite = planted()
    suite.keys, suite.mistake = [], Mistaken
    for number, test in enumerate(sorted({test for _, test, _ in MISTAKES.values()})):
        folder = tmp_path / str(number)
        folder.mkdir()
        getattr(suite, test)(folder)
