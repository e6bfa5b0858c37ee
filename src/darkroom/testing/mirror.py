"""The conformance kit of vendors' engines: each runs against our own dialect of its vendor, over real HTTP.

An engine joins when a dialect has its name, and takes the options `base_url` and `key`:

    class TestAcmeMirror(MirrorSuite):
        name = "acme"

Each class runs a server of its own with the fake engine as the vendor; words in a prompt, or in a style, say what
becomes of a task there. The suite is that of all engines and, beyond it, what costs money when it goes wrong: results
are those that the vendor stored, a failure says why, nothing is paid twice, a cancel is passed on, a vendor that is
restarted is waited for, and the key is shown to nobody.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from ..core.catalog import Model
from ..core.errors import Code, TaskError
from ..core.task import Operation
from ..dialects import discover
from ..engines import Engine, EngineSettings, Job, Output, create, names
from .engines import CANCEL, EngineSuite, Recorder, check_job, ended, example, placed
from .journeys import NATIVE, REASON, answered, until_final
from .ports import free_port
from .server import Darkroom, until

PATIENCE = 120.0  # seconds after which a test gives up
SUCCEED, FAIL, SLOW, HANG = "a lake", "a lake, fake:fail", "a lake, fake:slow", "a lake, fake:hang"
VENDOR = {"DARKROOM_RETRY_SECONDS": "0.05", "DARKROOM_INITIAL_CREDITS": "1000000"}
WRONG_KEY = "sk-nobodys0nobodys0nobodys0nobodys0"
WITH_PICTURES = frozenset(Operation) - {Operation.IMAGE_GENERATE, Operation.VIDEO_GENERATE}


def mirrored() -> tuple[str, ...]:
    """The names that an engine and a dialect share."""
    return tuple(sorted(set(names()) & {dialect.name for dialect in discover()}))


@dataclass
class Mortal(Recorder):
    """A `Context` whose worker dies before it has saved anything."""

    async def checkpoint(self, value: str) -> None:  # noqa: ARG002 - a context is called so
        """Save nothing."""
        raise ConnectionAbortedError("the worker died")


class MirrorSuite(EngineSuite):
    """Subclass this, name the subclass `Test…Mirror`, and set `name`."""

    name: ClassVar[str]
    server: ClassVar[Darkroom]  # the vendor
    _folder: ClassVar[tempfile.TemporaryDirectory[str]]

    @classmethod
    def setup_class(cls) -> None:
        """Start the vendor, at an address that it keeps when it is restarted."""
        assert cls.name in mirrored(), f"there is no engine, or no dialect, of the name {cls.name!r}"
        cls._folder = tempfile.TemporaryDirectory()
        flags = ("--workers", "8", "--port", str(free_port()))
        cls.server = Darkroom(Path(cls._folder.name), engines="fake", env=VENDOR, flags=flags)
        cls.server.start()

    @classmethod
    def teardown_class(cls) -> None:
        """End the vendor."""
        with cls._folder:
            cls.server.stop()

    @pytest.fixture(autouse=True)
    def _secret_keys(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        """No test may have written a key to any log, however much is logged."""
        caplog.set_level(logging.DEBUG)
        self.keys = [self.server.key]
        yield
        assert not [key for key in self.keys if key in caplog.text], "the key is in the log"

    # ---- what the suite is made with

    def engine(self, key: str | None = None) -> Engine:
        """The engine, with the vendor's address and a key."""
        return create(self.name, EngineSettings(slots=2, options=self.options(key)))

    def options(self, key: str | None = None) -> dict[str, Any]:
        """The engine's table of the settings."""
        dialect = next(dialect for dialect in discover() if dialect.name == self.name)
        address = f"{self.server.address}{dialect.mount}"
        return {"base_url": address, "key": key or self.server.key, "poll_seconds": 0.05}

    def job(self, folder: Path) -> Job:
        """A job that the vendor does at once."""
        return self.asked(folder, SUCCEED)

    def long_job(self, folder: Path) -> Job:
        """A job that the vendor never ends."""
        return self.asked(folder, HANG)

    def asked(self, folder: Path, words: str) -> Job:
        """A job of the first model that can be told something."""
        model, param = speaking(self.engine())
        return job_of(model, model.operations[0], folder, **{param: words})

    # ---- the tests

    def test_every_model_delivers_what_the_vendor_stored(self, tmp_path: Path) -> None:
        """Each operation of each model, as many results as were asked for, byte by byte."""
        key = self.new_key()

        async def scenario() -> list[tuple[Job, Sequence[Output]]]:
            async with self.engine(key) as engine:
                jobs = [
                    placed(job_of(model, operation, tmp_path), tmp_path, f"{model.name}-{operation}")
                    for model in engine.models()
                    for operation in model.operations
                ]
                return [(job, await self.run_job(engine, job, Recorder())) for job in jobs]

        for job, outputs in asyncio.run(scenario()):
            assert len(outputs) == job.count, f"{job.model}: {job.operation}"
            for output in outputs:
                assert output.path.read_bytes() in self.stored(), f"{job.model} delivers what the vendor never stored"
        kinds = [task["operation"] for task in self.tasks(key)]
        assert sorted(kinds) == sorted(op for model in self.engine().models() for op in model.operations)

    def test_a_failure_is_told_with_its_reason(self, tmp_path: Path) -> None:
        """The operator reads why, the caller what to do."""
        key = self.new_key()
        error = self.refusal(key, placed(self.asked(tmp_path, FAIL), tmp_path, "one"))
        assert REASON in (error.detail or ""), "say in `detail` what the vendor said"
        assert REASON not in error.message, "the vendor's words are for the operator alone"
        assert len(self.tasks(key)) == 1

    def test_an_input_that_is_no_picture_is_the_callers_fault(self, tmp_path: Path) -> None:
        """It is refused with a code that says so, and not tried again."""
        models = [model for model in self.engine().models() if model.max_inputs]
        if not models:
            return
        model = models[0]
        operation = next((each for each in model.operations if each in WITH_PICTURES), model.operations[0])
        job = placed(job_of(model, operation, tmp_path), tmp_path, "one")
        for path in job.inputs:
            path.write_bytes(b"this is no picture")
        error = self.refusal(self.new_key(), job)
        assert error.code in (Code.INVALID_INPUT, Code.INVALID_MEDIA)
        assert not error.retryable

    def test_a_vendor_without_credits_for_us_is_the_operators_matter(self, tmp_path: Path) -> None:
        """Callers are neither told that, nor charged; and it is not tried again and again."""
        key = self.new_key(credits=0)
        error = self.refusal(key, placed(self.job(tmp_path), tmp_path, "one"))
        assert (error.code, error.retryable) == (Code.UNAVAILABLE, False)
        assert "credit" not in error.message.lower()
        assert self.tasks(key) == []

    def test_a_wrong_key_is_told_to_the_operator_alone(self, tmp_path: Path) -> None:
        """The caller learns nothing of keys; nobody learns this one."""
        error = self.refusal(WRONG_KEY, placed(self.job(tmp_path), tmp_path, "one"))
        assert (error.code, error.retryable) == (Code.UNAVAILABLE, False)
        assert "key" in (error.detail or ""), "say in `detail` that it is the key"
        assert "key" not in error.message.lower()

    def test_a_later_attempt_goes_on_where_one_was_stopped(self, tmp_path: Path) -> None:
        """A shutdown in the middle: the vendor's task goes on, and there is no second one."""
        key = self.new_key()
        job = placed(self.asked(tmp_path, SLOW), tmp_path, "one")

        async def scenario() -> Sequence[Output]:
            recorder = Recorder()
            async with self.engine(key) as engine:
                running = asyncio.create_task(engine.run(check_job(engine, job), recorder))
                saved = asyncio.create_task(recorder.saved.wait())
                await asyncio.wait({running, saved}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
                saved.cancel()
                assert recorder.checkpoints, "the engine did not save the vendor's handle while its task ran"
                await stopped(running)
            async with self.engine(key) as engine:
                later = replace(job, attempt=2, checkpoint=recorder.checkpoints[-1])
                return await self.run_job(engine, later, Recorder())

        assert asyncio.run(scenario())
        assert len(self.tasks(key)) == 1, "it was paid twice"

    def test_a_submit_that_nobody_remembers_is_not_paid_twice(self, tmp_path: Path) -> None:
        """The worker dies between the vendor's answer and its checkpoint: both submits have one idempotency key."""
        key = self.new_key()
        job = placed(self.job(tmp_path), tmp_path, "one")

        async def scenario() -> Sequence[Output]:
            async with self.engine(key) as engine:
                with pytest.raises(ConnectionAbortedError):
                    await engine.run(check_job(engine, job), Mortal())
                return await self.run_job(engine, replace(job, attempt=2), Recorder())

        assert asyncio.run(scenario())
        assert len(self.tasks(key)) == 1, "it was paid twice"

    def test_a_cancel_is_told_to_the_vendor(self, tmp_path: Path) -> None:
        """Within 5 s, where the vendor has a word for it; where it has none, the job ends here all the same."""
        dialect = next(dialect for dialect in discover() if dialect.name == self.name)
        if dialect.capabilities & {"cancel", "delete"}:
            # Telling it may take a moment and no longer, and this machine may stand still in just that moment.
            assert any(self.all_ended(self.canceled(tmp_path, name)) for name in ("one", "two")), (
                "the vendor was not told"
            )
        else:
            assert [task["state"] for task in self.tasks(self.canceled(tmp_path, "one"))] in (["queued"], ["running"])

    def test_a_vendor_that_is_restarted_in_the_middle_is_waited_for(self, tmp_path: Path) -> None:
        """Its connections are cut and it is away for a while; the job ends well, and is paid once."""
        key = self.new_key()
        job = placed(self.asked(tmp_path, SLOW), tmp_path, "one")

        def restart() -> None:
            self.server.kill()
            self.server.start()

        async def scenario() -> Sequence[Output]:
            recorder = Recorder()
            async with self.engine(key) as engine:
                running = asyncio.create_task(self.run_job(engine, job, recorder))
                await asyncio.wait_for(recorder.saved.wait(), PATIENCE)
                await asyncio.to_thread(restart)
                return await asyncio.wait_for(running, PATIENCE)

        assert asyncio.run(scenario())
        assert [task["state"] for task in self.tasks(key)] == ["succeeded"]

    def test_a_server_that_is_killed_goes_on_with_the_vendors_task(self, tmp_path: Path) -> None:
        """A whole server with this engine, killed half way and started again; its log shows no key."""
        key = self.new_key()
        model, param = speaking(self.engine())
        options = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.options(key).items())
        env = {
            "DARKROOM_ENGINE": f"{{{self.name} = {{{options}}}}}",
            "DARKROOM_DEFAULTS": "{}",
            "DARKROOM_LOG_LEVEL": "debug",
        }
        flags = ("--workers", "1")
        asked = self.asked(tmp_path, SLOW)
        pictures = [base64.b64encode(path.read_bytes()).decode() for path in asked.inputs]
        body = {
            "operation": asked.operation,
            "model": model.name,
            "params": {param: SLOW},
            "inputs": [{"data": picture} for picture in pictures],
        }
        with Darkroom(tmp_path / "ours", engines=self.name, env=env, flags=flags) as ours:
            task_id = answered(ours.client().post("/api/tasks", json=body))["id"]
            until(lambda: self.tasks(key), seconds=PATIENCE)
            ours.kill()
            ours.start()
            done = until_final(NATIVE, ours.client(), task_id)
            assert (done["state"], done["attempt"]) == ("succeeded", 2), done
            assert len(self.tasks(key)) == 1, "it was paid twice"
            assert key not in ours.log

    # ---- what they share

    def new_key(self, credits: int = 1000) -> str:  # noqa: A002 - the field's word
        """A key of the vendor, of an account of its own."""
        key = self.server.new_key(credits=credits)
        self.keys.append(key)
        return key

    def tasks(self, key: str) -> list[dict[str, Any]]:
        """The tasks of an account at the vendor."""
        found: list[dict[str, Any]] = answered(self.server.client(key).get("/api/tasks?limit=100"))["items"]
        return found

    def canceled(self, folder: Path, name: str) -> str:
        """The key of a new account, which paid for a job that was canceled."""
        key = self.new_key()
        job = placed(self.long_job(folder), folder, name)

        async def scenario() -> None:
            recorder = Recorder()
            async with self.engine(key) as engine:
                running = asyncio.create_task(engine.run(check_job(engine, job), recorder))
                await asyncio.wait_for(recorder.saved.wait(), PATIENCE)
                recorder.canceled = True
                await stopped(running)

        asyncio.run(scenario())
        return key

    def all_ended(self, key: str) -> bool:
        """Whether no task of an account is left at the vendor that has not ended, after a while at most."""
        unfinished = ("queued", "running")
        with suppress(AssertionError):
            return until(lambda: not [task for task in self.tasks(key) if task["state"] in unfinished])
        return False

    def stored(self) -> set[bytes]:
        """Every file that the vendor stored."""
        root = self.server.data / "objects" / "tasks"
        return {path.read_bytes() for path in root.rglob("*") if path.is_file()}

    async def run_job(self, engine: Engine, job: Job, recorder: Recorder) -> Sequence[Output]:
        """The outputs of a job that succeeds."""
        outputs = await asyncio.wait_for(engine.run(check_job(engine, job), recorder), PATIENCE)
        assert recorder.percents == sorted(recorder.percents)
        return outputs

    def refusal(self, key: str, job: Job) -> TaskError:
        """What a job fails with. It shows the key neither in its words nor in its trace."""

        async def scenario() -> TaskError:
            async with self.engine(key) as engine:
                with pytest.raises(TaskError) as raised:
                    await asyncio.wait_for(engine.run(check_job(engine, job), Recorder()), PATIENCE)
                shown = [repr(engine), repr(vars(engine)), *traceback.format_exception(raised.value)]
                shown += [raised.value.message, raised.value.detail or "", repr(raised.value.__dict__)]
                assert not [text for text in shown if key in text], "the key is shown"
                return raised.value

        return asyncio.run(scenario())


async def stopped(running: asyncio.Task[Any]) -> None:
    """Cancel a job; it stops in time."""
    running.cancel()
    await ended(running)
    assert running.cancelled(), f"the job went on for {CANCEL} s after it was canceled, or did not say that it was"


def speaking(engine: Engine) -> tuple[Model, str]:
    """A model that passes words on to the vendor, and the parameter that does."""
    for model in engine.models():
        for param in model.params:
            if param.name in ("prompt", "style") and param.kind == "string" and not param.choices:
                return model, param.name
    raise AssertionError("no model of the engine has a parameter 'prompt' or 'style' that passes words on")


def job_of(model: Model, operation: Operation, folder: Path, **params: str) -> Job:
    """A job with what the model requires."""
    needed = {param.name: SUCCEED for param in model.params if param.required and param.kind == "string"}
    inputs = max(model.min_inputs, 1 if operation in WITH_PICTURES else 0)
    paths = [folder / f"input-{number}.png" for number in range(inputs)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(number))
    return example(model.name, operation, *paths, count=min(2, model.max_count), **needed | params)


def picture(number: int) -> bytes:
    """A small picture; each number has its own."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (40 * number % 256, 128, 128)).save(file, "PNG")
    return file.getvalue()
