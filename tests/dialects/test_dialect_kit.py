"""The conformance kit catches dialects that break the contract, and transcripts that differ from the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from darkroom.core.commands import Cancel, Get, Notice, TaskResult
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import State
from darkroom.dialects import Dialect, Endpoint, Socket, WireRequest, WireResponse, answer
from darkroom.testing import dialects as kit

WORDS = {
    State.QUEUED: "waiting",
    State.RUNNING: "running",
    State.SUCCEEDED: "done",
    State.FAILED: "failed",
    State.CANCELED: "failed",
}
EXAMPLE = """
# vendor.example, copied 2026-11-20
given   running progress=30 public_id=abc
GET /tasks/abc
200
{"id": "abc", "status": "running"}
"""


def encode_task(result: TaskResult, _request: WireRequest) -> WireResponse:
    return answer({"id": result.task.public_id, "status": WORDS[result.task.state]})


def encode_error(error: TaskError, _request: WireRequest) -> WireResponse:
    return answer({"error": error.message}, 400)


QUERY = Endpoint(
    method="GET", path="/tasks/{id}", decode=lambda request: Get(request.params["id"]), encode=encode_task, poll=True
)
SOUND = Dialect(
    name="sound",
    endpoints=(QUERY,),
    credential=lambda request: request.headers.get("x-key") or None,
    encode_error=encode_error,
)


def with_encode(encode: Callable[[Any, WireRequest], WireResponse]) -> Dialect:
    return replace(SOUND, endpoints=(replace(QUERY, encode=encode),))


def with_decode(decode: Callable[[WireRequest], Any]) -> Endpoint:
    return replace(QUERY, decode=decode)


def socket(encode: Callable[[Notice, WireRequest], tuple[str, ...]] = lambda _notice, _request: ()) -> Socket:
    return Socket(path="/ws", credential=lambda _request: None, encode=encode, beat="beat", replaced="replaced")


def run(tmp_path: Path, text: str, dialect: Dialect = SOUND) -> int:
    (tmp_path / "example.http").write_text(text, encoding="utf-8")
    return kit.run_transcripts(dialect, tmp_path)


def test_a_sound_dialect_passes(tmp_path: Path) -> None:
    kit.check_routes([SOUND])
    for check in (kit.check_capabilities, kit.check_credential, kit.check_ids, kit.check_states):
        check(SOUND)
    for check in (kit.check_results, kit.check_errors, kit.check_messages, kit.check_purity):
        check(SOUND)
    kit.check_hostile_input(SOUND, QUERY)
    assert run(tmp_path, EXAMPLE) == 1


def test_the_same_route_twice_is_caught() -> None:
    other = replace(QUERY, path="/tasks/{name}")
    with pytest.raises(AssertionError, match="has no endpoints"):
        kit.check_routes([replace(SOUND, endpoints=())])
    with pytest.raises(AssertionError, match="both answer GET"):
        kit.check_routes([replace(SOUND, endpoints=(QUERY, other))])


def test_the_same_route_of_two_dialects_at_the_root_is_caught() -> None:
    first, second = replace(SOUND, at_root=True), replace(SOUND, name="second", at_root=True)
    with pytest.raises(AssertionError, match=r"(sound and second|second and sound) both answer GET /tasks"):
        kit.check_routes([first, second])


def test_two_dialects_beside_each_other_may_share_a_route() -> None:
    kit.check_routes([replace(SOUND, at_root=True), replace(SOUND, name="second")])


def test_states_that_look_alike_are_caught() -> None:
    def alike(result: TaskResult, _request: WireRequest) -> WireResponse:
        return answer({"status": "done" if result.task.state.final else "busy", "progress": result.task.progress})

    with pytest.raises(AssertionError, match="tells its states apart"):
        kit.check_states(with_encode(alike))


def test_a_canceled_task_that_seems_to_wait_is_caught() -> None:
    def waiting(result: TaskResult, _request: WireRequest) -> WireResponse:
        return answer({"status": (WORDS | {State.CANCELED: "waiting"})[result.task.state]})

    with pytest.raises(AssertionError, match="tells its states apart"):
        kit.check_states(with_encode(waiting))


def test_an_answer_that_shows_the_internal_id_is_caught() -> None:
    def leaking(result: TaskResult, _request: WireRequest) -> WireResponse:
        return answer({"id": result.task.id})

    with pytest.raises(AssertionError, match="shows what is private"):
        kit.check_results(with_encode(leaking))


def test_a_refusal_that_shows_the_detail_is_caught() -> None:
    def leaking(error: TaskError, _request: WireRequest) -> WireResponse:
        return answer({"error": error.detail}, 400)

    with pytest.raises(AssertionError, match="shows what is private"):
        kit.check_errors(replace(SOUND, encode_error=leaking))


def test_an_answer_that_is_not_json_is_caught() -> None:
    def plain(_result: TaskResult, _request: WireRequest) -> WireResponse:
        return WireResponse(200, b"it works")

    with pytest.raises(AssertionError, match="not valid JSON"):
        kit.check_results(with_encode(plain))


def test_an_encode_with_memory_is_caught() -> None:
    numbers = count()

    def counting(_result: TaskResult, _request: WireRequest) -> WireResponse:
        return answer({"answer": next(numbers)})

    with pytest.raises(AssertionError, match="in two ways"):
        kit.check_purity(with_encode(counting))


def test_a_poll_that_reads_headers_is_caught() -> None:
    def curious(_result: TaskResult, request: WireRequest) -> WireResponse:
        return answer({"for": request.headers.get("accept")})

    with pytest.raises(AssertionError, match="reads headers"):
        kit.check_purity(with_encode(curious))


def test_a_refusal_without_a_word_is_caught() -> None:
    words = {Code.NOT_FOUND: "gone"}

    def forgetful(error: TaskError, _request: WireRequest) -> WireResponse:
        return answer({"error": words[error.code]}, 400)

    with pytest.raises(AssertionError, match="no answer for the error 'missing_key': KeyError"):
        kit.check_errors(replace(SOUND, encode_error=forgetful))


def test_a_state_without_a_word_is_caught() -> None:
    def forgetful(result: TaskResult, _request: WireRequest) -> WireResponse:
        return answer({"status": {state: WORDS[state] for state in (State.QUEUED, State.RUNNING)}[result.task.state]})

    with pytest.raises(AssertionError, match="no answer for a task that is succeeded: KeyError"):
        kit.check_states(with_encode(forgetful))


def test_a_status_that_is_not_the_described_one_is_caught() -> None:
    described = replace(SOUND, endpoints=(replace(QUERY, status=201),))
    with pytest.raises(AssertionError, match="answers 200, but its `status` says 201"):
        kit.check_results(described)


def test_an_answer_that_is_not_the_described_one_is_caught() -> None:
    class View(msgspec.Struct):
        id: int

    described = replace(SOUND, endpoints=(replace(QUERY, response=View),))
    with pytest.raises(AssertionError, match=r"answers what it does not describe: View: Expected `int`"):
        kit.check_results(described)
    with pytest.raises(AssertionError, match="answers what it does not describe"):
        kit.check_errors(replace(SOUND, error=View))


def test_a_link_that_leads_nowhere_is_caught() -> None:
    def relative(result: TaskResult, request: WireRequest) -> WireResponse:
        path = f"/files/{result.task.public_id}"
        return answer({"url": f"{path}?{request.sign(path)}"})

    with pytest.raises(AssertionError, match="leads nowhere"):
        kit.check_results(with_encode(relative))


def test_a_socket_without_its_capability_is_caught() -> None:
    with pytest.raises(AssertionError, match="'push'"):
        kit.check_capabilities(replace(SOUND, sockets=(socket(),)))


def test_a_message_that_shows_the_internal_id_is_caught() -> None:
    kit.check_messages(replace(SOUND, sockets=(socket(lambda notice, _: (notice.task.public_id,)),)))
    with pytest.raises(AssertionError, match="shows what is private"):
        kit.check_messages(replace(SOUND, sockets=(socket(lambda notice, _: (notice.task.id,)),)))


@pytest.mark.parametrize("minted", ["same", "a/b", "a.b", ""])
def test_ids_that_repeat_or_break_urls_are_caught(minted: str) -> None:
    with pytest.raises(AssertionError, match=r"mints"):
        kit.check_ids(replace(SOUND, mint_id=lambda: minted))


def test_a_credential_out_of_nowhere_is_caught() -> None:
    with pytest.raises(AssertionError, match="where there is none"):
        kit.check_credential(replace(SOUND, credential=lambda request: request.headers.get("x-key", "")))


def test_a_capability_without_its_endpoint_is_caught() -> None:
    with pytest.raises(AssertionError, match="'list'"):
        kit.check_capabilities(replace(SOUND, capabilities=frozenset({"list"})))


def test_a_cancel_that_is_not_declared_is_caught() -> None:
    stop = replace(QUERY, method="POST", path="/stop/{id}", decode=lambda request: Cancel(request.params["id"]))
    with pytest.raises(AssertionError, match="'cancel' is there: declare it"):
        kit.check_capabilities(replace(SOUND, endpoints=(QUERY, stop)))


def test_a_decode_that_trusts_its_input_is_caught() -> None:
    def trusting(request: WireRequest) -> Get:
        return Get(json.loads(request.body)["id"])

    with pytest.raises(AssertionError, match="decode raises"):
        kit.check_hostile_input(SOUND, with_decode(trusting))


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ('{"id": "abc"}', "body.status is not on the vendor's page"),
        ('{"id": "abc", "status": "running", "progress": 30}', "body.progress is missing"),
        ('{"id": "abc", "status": "done"}', "body.status is 'running', not 'done'"),
        ('{"id": "abc", "status": "*ed"}', "body.status is"),
        ('{"id": "abc", "status": ["running"]}', "body.status is"),
    ],
)
def test_an_answer_unlike_the_vendors_is_caught(tmp_path: Path, expected: str, difference: str) -> None:
    with pytest.raises(AssertionError, match=difference):
        run(tmp_path, EXAMPLE.replace('{"id": "abc", "status": "running"}', expected))


def test_a_star_stands_for_any_text(tmp_path: Path) -> None:
    assert run(tmp_path, EXAMPLE.replace('"status": "running"', '"status": "run*"').replace('"id": "abc"', '"id": "*"'))


def test_another_http_status_is_caught(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="HTTP status is 200, not 202"):
        run(tmp_path, EXAMPLE.replace("\n200\n", "\n202\n"))


def test_a_query_for_another_task_is_caught(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="asks for task 'abc', not 'xyz'"):
        run(tmp_path, EXAMPLE.replace("public_id=abc", "public_id=xyz"))


def test_a_documented_refusal_is_compared(tmp_path: Path) -> None:
    text = 'given error not_found No such task.\nGET /tasks/abc\n400\n{"error": "No such task."}'
    assert run(tmp_path, text) == 1
    with pytest.raises(AssertionError, match=r"body\.error is 'No such task\.'"):
        run(tmp_path, text.replace('"No such task."', '"Gone."'))


def test_a_given_line_sets_times_children_and_results(tmp_path: Path) -> None:
    def encode(result: TaskResult, _request: WireRequest) -> WireResponse:
        task = result.task
        children = [[child.seq, child.public_id] for child in task.children]
        sizes = [[item.width, item.height, item.media_type, item.thumbnail_key] for item in task.artifacts]
        return answer([task.created_at, task.seq, task.extra, children, sizes, result.position])

    text = """given succeeded 20x10 video/mp4 children 2 thumbnail=no created_at=1777080000 seq=1043 \
extra.taskType=7 child0.seq=1043 child1.seq=1044 child1.public_id=second position=4
GET /tasks/abc
200
[1777080000000, 1043, {"taskType": 7}, [[1043, "*"], ["<integer>", "second"]],
 [[20, 10, "video/mp4", null], [20, 10, "video/mp4", null]], 4]
"""
    assert run(tmp_path, text, with_encode(encode)) == 1


def test_a_word_that_means_nothing_in_a_given_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'hastily'"):
        run(tmp_path, EXAMPLE.replace("progress=30", "hastily"))
    with pytest.raises(ValueError, match="'speed'"):
        run(tmp_path, EXAMPLE.replace("progress=30", "speed=30"))
