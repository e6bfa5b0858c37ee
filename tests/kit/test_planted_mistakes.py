"""The kit proves itself: a dialect that nobody here knows passes it, and each mistake planted in it is caught."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugins import Plugin, fill_in

from darkroom.testing.fuzz import fuzz
from darkroom.testing.server import Darkroom

SOUND = "return answer(JobView(task.public_id, WORDS[task.state], links, reason))"
REFUSAL = "return answer(Refusal(error.code, error.message), HTTP_STATUS[error.code])"
ACCEPTED = f"""if error.code is Code.NOT_FOUND:
        return answer(JobView(request.params["id"], "waiting", []))
    {REFUSAL}"""

MISTAKES = {
    "a state without a word": (
        '    State.CANCELED: "failed",\n',
        "",
        "TestAcme::test_states_are_told_apart",
        "has no answer for a task that is canceled",
    ),
    "a leaked detail": (
        REFUSAL,
        "return answer(Refusal(error.code, f'{error.message} {error.detail}'), HTTP_STATUS[error.code])",
        "TestAcme::test_every_error_is_answered_as_described_and_shows_no_detail",
        "shows what is private",
    ),
    "a foreign id accepted": (
        REFUSAL,
        ACCEPTED,
        "TestAcmeJourney::test_somebody_elses_task_is_as_unknown_as_none",
        "is to be refused, but answers 200",
    ),
    "a wrong status code": (
        SOUND,
        SOUND[:-1] + ", 202)",
        "TestAcme::test_every_result_is_answered_as_described_and_shows_nothing_private",
        "answers 202, but its `status` says 200",
    ),
    "a link without scheme and host": (
        "[request.link(path) for path in paths]",
        "[f'{path}?{request.sign(path)}' for path in paths]",
        "TestAcme::test_every_result_is_answered_as_described_and_shows_nothing_private",
        "leads nowhere: make links with `request.link(path)`",
    ),
    "a path of the file system as a link": (
        "[request.link(path) for path in paths]",
        "[f'/srv/objects/{artifact.key}' for artifact in task.artifacts]",
        "TestAcmeJourney::test_a_task_goes_from_its_submit_to_its_results",
        "leads nowhere: make links with `request.link(path)`",
    ),
}


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    plugin = Plugin.new("dialect", tmp_path_factory.mktemp("mistakes"))
    fill_in(plugin.module(), "completed_dialect.py")
    return plugin.install()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_caught(acme: Plugin, mistake: str) -> None:
    right, wrong, test, said = MISTAKES[mistake]
    installed = acme.site / "darkroom_acme" / "__init__.py"
    sound = acme.module().read_text("utf-8")
    assert sound.count(right) == 1
    installed.write_text(sound.replace(right, wrong), "utf-8")
    outcome = acme.tested(f"tests/test_acme.py::{test}")
    assert outcome.names("FAILED") == {test.rpartition("::")[2]}, outcome.text
    assert said in outcome.text


def test_the_fuzzer_finds_answers_that_the_document_does_not_name(acme: Plugin, tmp_path: Path) -> None:
    right, wrong, *_ = MISTAKES["a wrong status code"]
    installed = acme.site / "darkroom_acme" / "__init__.py"
    installed.write_text(acme.module().read_text("utf-8"), "utf-8")
    with Darkroom(tmp_path / "right", engines="fake", env={"PYTHONPATH": str(acme.site)}) as server:
        assert fuzz(server, "/acme", 60, rounds=1).findings == {}
    installed.write_text(acme.module().read_text("utf-8").replace(right, wrong), "utf-8")
    with Darkroom(tmp_path / "wrong", engines="fake", env={"PYTHONPATH": str(acme.site)}) as server:
        found = fuzz(server, "/acme", 60, rounds=1).findings
    assert "POST /v1/jobs" in {operation for operation, _ in found}
