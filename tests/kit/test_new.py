"""`darkroom new`: a stranger's package, whose failing tests are a check-list, and which passes once it is filled in."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from plugins import Plugin, fill_in, run

from darkroom.new import write
from darkroom.testing.dialects import DialectSuite
from darkroom.testing.engines import EngineSuite
from darkroom.testing.journeys import OF_CAPABILITY, JourneySuite


@pytest.fixture(scope="module")
def dialect(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    return Plugin.new("dialect", tmp_path_factory.mktemp("dialect")).install()


def promises(*suites: type) -> set[str]:
    return {name for suite in suites for name in dir(suite) if name.startswith("test_")}


def test_a_new_dialect_fails_its_tests_which_say_what_to_do(dialect: Plugin) -> None:
    outcome = dialect.tested()
    assert outcome.names("ERROR") == set()
    assert outcome.names("FAILED") >= {
        "test_states_are_told_apart",
        "test_every_result_is_answered_as_described_and_shows_nothing_private",
        "test_every_error_is_answered_as_described_and_shows_no_detail",
        "test_hostile_input_raises_only_task_errors",
        "test_the_vendors_examples_are_answered_as_the_vendor_does",
        "test_a_task_goes_from_its_submit_to_its_results",
        "test_the_server_met_no_bug",
    }
    for said in (
        "submit: read what a client sends",
        "has no answer for a task that is queued: NotImplementedError: encode_job: return `answer(JobView",
        "has no answer for the error 'missing_key': NotImplementedError: encode_error: return `answer(Refusal",
        "answers 500: run the dialect's other tests, which say why",
    ):
        assert said in outcome.text


def test_a_dialect_that_was_filled_in_passes(tmp_path: Path) -> None:
    plugin = Plugin.new("dialect", tmp_path)
    fill_in(plugin.module(), "completed_dialect.py")
    outcome = plugin.install().tested()
    assert (outcome.names("ERROR"), outcome.names("FAILED")) == (set(), set()), outcome.text
    assert outcome.names("PASSED") == promises(DialectSuite, JourneySuite) - OF_CAPABILITY.keys()


def test_a_new_engine_fails_its_tests_which_say_what_to_do(tmp_path: Path) -> None:
    outcome = Plugin.new("engine", tmp_path).install().tested()
    assert outcome.names("ERROR") == set()
    assert outcome.names("FAILED") >= {
        "test_models_describe_themselves",
        "test_outputs_are_media_files_under_the_workdir",
        "test_a_canceled_job_stops_and_the_engine_goes_on",
    }
    assert "say in the description of 'acme-v1' what it makes" in outcome.text
    assert "run: do what `job.operation` and `job.params` ask for" in outcome.text


def test_an_engine_that_was_filled_in_passes(tmp_path: Path) -> None:
    plugin = Plugin.new("engine", tmp_path)
    fill_in(plugin.module("work.py"), "completed_engine.py")
    described = plugin.module().read_text("utf-8").replace('description="",', 'description="Plain pictures.",')
    plugin.module().write_text(described, "utf-8")
    outcome = plugin.install().tested()
    assert (outcome.names("ERROR"), outcome.names("FAILED")) == (set(), set()), outcome.text
    assert outcome.names("PASSED") == promises(EngineSuite)


def test_nothing_is_written_over_what_exists(tmp_path: Path) -> None:
    (tmp_path / "darkroom-acme").mkdir()
    (tmp_path / "darkroom-acme" / "mine").write_text("mine")
    done = run("darkroom", "new", "engine", "acme", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "darkroom: darkroom-acme exists already: nothing is written over it\n"
    assert [path.name for path in (tmp_path / "darkroom-acme").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["Acme", "1acme", "ac-me", "../acme", "a/b", "", "class", "acme ", "é", "a" * 41])
def test_a_name_that_cannot_name_a_module_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a dialect: use a small letter"):
        write("dialect", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is a dialect 'native' already"):
        write("dialect", "native", tmp_path)
    with pytest.raises(ValueError, match="there is an engine 'fake' already"):
        write("engine", "fake", tmp_path)


def test_a_folder_that_cannot_be_written_to_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot write to .*nowhere.*: No such file or directory"):
        write("engine", "acme", tmp_path / "nowhere")


def test_the_skeletons_are_in_the_wheel(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    quietly = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    done = run("pip", "wheel", *quietly, "--wheel-dir", str(tmp_path), str(root), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    skeletons = root / "src" / "darkroom" / "skeletons"
    files = {f"darkroom/skeletons/{path.relative_to(skeletons)}" for path in skeletons.rglob("*") if path.is_file()}
    assert len(files) == 10
    assert files <= inside
