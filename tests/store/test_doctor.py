"""The doctor finds what was really broken, in the database or among the files, and repairs what can be computed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from lives import claimed, moved, submitted

from darkroom.core.ledger import Purse, grant
from darkroom.core.machine import Policy, decide
from darkroom.core.review import hold
from darkroom.core.task import Artifact, File, State, Trigger
from darkroom.doctor import Doctor
from darkroom.objects import Objects
from darkroom.orphans import YOUNG, remove_orphans, sweep_orphans
from darkroom.store import Store
from darkroom.testing.databases import NOW, check_sums, new_family, new_task

Broken = tuple[str, str]  # a check, and what it names


class Patient:
    """A store with tasks of every kind and their files, on a real database and in a real folder."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    async def fill(self) -> None:
        self.store = await Store.open(self.url)
        self.objects = Objects.open(str(self.folder))
        self.doctor = Doctor(self.store, self.objects, lambda: time.time_ns() // 1_000_000, pause=0)
        self.account = (await self.store.add_account("caller", 10, NOW)).id
        await self.store.enter(self.account, grant(30, Purse.PAID), NOW)
        self.file = File("file_1", "files/file_1", "image/png", 3, 1, 1)
        await self.objects.put(self.file.key, b"png")
        await self.store.add_file(self.account, self.file, NOW)
        done, running = [await submitted(self.store, self.account, price=4, inputs=(self.file,)) for _ in range(2)]
        self.done, self.running = await claimed(self.store, limit=2, now=int(time.time() * 1000))
        assert {self.done.id, self.running.id} == {done.id, running.id}
        key = f"tasks/{self.done.id}/1/0"
        await self.objects.put(key, b"result")
        await moved(self.store, self.done, Trigger.COMPLETE, artifacts=(Artifact(key, "image/png", 6, 1, 1),))
        self.waiting = await submitted(self.store, self.account, price=3, inputs=(self.file,))
        self.family = new_family(self.account, 2, price=2)
        await self.store.submit(self.family)

    async def execute(self, query: str) -> None:
        """Break something, past the store."""
        if self.url.startswith("sqlite:"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:"))) as file:
                file.execute("PRAGMA ignore_check_constraints = 1")
                file.execute(query)
                file.commit()
            return
        connection = await asyncpg.connect(self.url)
        await connection.execute(query)
        await connection.close()

    async def examined(self, *, repair: bool = False) -> dict[str, tuple[tuple[str, ...], bool]]:
        """By check, what was found and whether it is repaired."""
        return {each.check: (each.found, each.repaired) for each in await self.doctor.examine(repair=repair)}

    def age(self, key: str) -> None:
        """Make an object older than an hour."""
        old = time.time() - YOUNG / 1000 - 60
        os.utime(self.folder / key, (old, old))


@pytest.fixture
async def patient(database_url, tmp_path):
    made = Patient(database_url, tmp_path / "objects")
    await made.fill()
    yield made
    await made.store.close()


async def test_a_healthy_store_has_no_findings(patient):
    assert await patient.examined() == {}
    assert await patient.examined(repair=True) == {}
    assert await patient.store.audit(10) == []


@pytest.mark.parametrize("column", ["free", "paid", "held"])
async def test_a_wrong_balance_is_found_and_recomputed_from_the_ledger(patient, column):
    before = await patient.store.account(patient.account)
    await patient.execute(f"UPDATE account SET {column} = {column} + 5")
    assert await patient.examined() == {"balances": ((patient.account,), False)}
    assert await patient.store.account(patient.account) != before
    assert await patient.examined(repair=True) == {"balances": ((patient.account,), True)}
    assert await patient.store.account(patient.account) == before
    (line,) = await patient.store.audit(10)
    assert (line.actor, line.action, line.subject) == ("doctor", "repair.balance", patient.account)
    await check_sums(patient.store)


async def test_a_lost_line_is_found_in_the_balance_and_the_hold(patient):
    await patient.execute(f"DELETE FROM entry WHERE task_id = '{patient.running.id}'")
    found = await patient.examined()
    assert found == {"balances": ((patient.account,), False), "holds": ((patient.running.public_id,), False)}


async def test_a_line_without_an_account_is_found(patient):
    await patient.execute("DELETE FROM account")
    assert "entries" in await patient.examined()


async def test_a_hold_that_was_never_ended_is_found(patient):
    await patient.execute(f"DELETE FROM entry WHERE task_id = '{patient.done.id}' AND kind <> 'hold'")
    found = await patient.examined()
    assert found["holds"][0] == (patient.done.public_id,)
    assert found["costs"][0] == (patient.done.public_id,)


async def test_a_hold_of_a_task_that_is_gone_is_found(patient):
    await patient.execute(f"DELETE FROM task WHERE id = '{patient.waiting.id}'")
    found = await patient.examined()
    assert found["holds"][0] == (patient.waiting.id,)


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE task SET lease_until = NULL WHERE id = '{running}'",
        "UPDATE task SET lease_until = 9000000000000000 WHERE id = '{running}'",
        "UPDATE task SET lease_until = 5, worker = 'ghost' WHERE id = '{waiting}'",
        "UPDATE task SET deadline = created_at - 1 WHERE id = '{waiting}'",
    ],
)
async def test_an_impossible_lease_or_deadline_is_found(patient, broken):
    await patient.execute(broken.format(running=patient.running.id, waiting=patient.waiting.id))
    ((found, _),) = [value for name, value in (await patient.examined()).items() if name == "leases"]
    assert found in ((patient.running.public_id,), (patient.waiting.public_id,))


async def test_a_parent_that_missed_its_last_part_is_ended(patient):
    parent = patient.family[0]
    for task in [part for part in await claimed(patient.store, limit=9) if part.parent_id == parent.id]:
        await moved(patient.store, task, Trigger.COMPLETE, artifacts=())
    await patient.execute(f"UPDATE task SET state = 'running', finished_at = NULL WHERE id = '{parent.id}'")
    await patient.execute(f"DELETE FROM event WHERE task_id = '{parent.id}' AND state = 'succeeded'")
    await patient.execute(f"UPDATE task SET version = 2 WHERE id = '{parent.id}'")
    assert await patient.examined(repair=True) == {"stuck": ((parent.id,), True)}
    (row,) = [task for task in await patient.store.tasks(patient.account, State.SUCCEEDED, 9) if task.parts]
    assert row.public_id == parent.public_id


async def test_a_lost_part_is_found(patient):
    await patient.execute(f"DELETE FROM task WHERE id = '{patient.family[1].id}'")
    assert (await patient.examined())["families"][0] == (patient.family[0].public_id,)


async def test_a_wrong_count_of_uses_is_found_and_counted_anew(patient):
    await patient.execute("UPDATE file SET uses = 7")
    assert await patient.examined(repair=True) == {"uses": (("file_1",), True)}
    assert await patient.examined() == {}
    assert await patient.store.unused_files(NOW * 2) == []


async def test_an_input_without_a_row_is_found(patient):
    await patient.execute("DELETE FROM file")
    patient.age(patient.file.key)
    found = await patient.examined()
    assert found == {"inputs": (("file_1",), False), "orphans": (("files/file_1",), False)}


async def test_a_row_without_its_object_is_forgotten_unless_somebody_needs_it(patient):
    lost = File("file_2", "files/file_2", "image/png", 3, 1, 1)
    await patient.store.add_file(patient.account, lost, NOW)
    await patient.objects.delete(patient.file.key)
    assert await patient.examined(repair=True) == {"files": (("file_1", "file_2"), False)}
    assert await patient.store.file("file_2") is None
    assert await patient.store.file("file_1") is not None


async def test_a_result_without_its_object_is_found(patient):
    key = f"tasks/{patient.done.id}/1/0"
    await patient.objects.delete(key)
    assert await patient.examined() == {"results": ((key,), False)}


async def test_objects_that_belong_to_nothing_are_removed_when_they_are_old(patient):
    keys = ("files/file_9", "tasks/gone/1/0", f"tasks/{patient.done.id}/0/0", f"tasks/{patient.running.id}/1/0", "mine")
    for key in (*keys, "files/file_10"):
        await patient.objects.put(key, b"x")
    for key in keys:
        patient.age(key)
    orphans = ("files/file_9", f"tasks/{patient.done.id}/0/0", "tasks/gone/1/0")
    assert await patient.examined() == {"orphans": (tuple(sorted(orphans)), False)}
    assert await patient.examined(repair=True) == {"orphans": (tuple(sorted(orphans)), True)}
    left = {stat.key async for stat in patient.objects.list()}
    assert left == {*keys[3:], "files/file_10", patient.file.key, f"tasks/{patient.done.id}/1/0"}
    assert {line.subject for line in await patient.store.audit(10)} == set(orphans)


async def test_what_a_held_task_made_is_no_orphan_however_long_nobody_looks_at_it(patient):
    (task,) = await claimed(patient.store, now=int(time.time() * 1000))
    assert task.id == patient.waiting.id
    released = decide(task, Trigger.RELEASE, now=NOW, policy=Policy())
    assert released is not None
    key = f"tasks/{task.id}/1/0"
    await patient.objects.put(key, b"made")
    await patient.store.apply(hold(released, "[]"))
    patient.age(key)
    assert await patient.examined(repair=True) == {}
    assert await patient.objects.stat(key) is not None


async def test_orphans_of_this_database_are_swept_without_a_doctor(patient):
    gone = await submitted(patient.store, patient.account, price=1)
    canceled = await moved(patient.store, gone, Trigger.CANCEL)
    assert await patient.store.delete(canceled)
    ours = [f"tasks/{gone.id}/1/0", f"tasks/{patient.done.id}/0/0", ".incoming/half"]
    others = ["files/file_9", "tasks/nobodys/1/0", "mine/own", f"tasks/{patient.running.id}/1/0"]
    young = f"tasks/{gone.id}/2/0"
    for key in [*ours[:2], *others, young]:
        await patient.objects.put(key, b"x")
    (patient.folder / ours[2]).write_bytes(b"x")
    for key in [*ours, *others]:
        patient.age(key)
    now = time.time_ns() // 1_000_000
    assert await remove_orphans(patient.store, patient.objects, now) == 3
    left = {str(path.relative_to(patient.folder)) for path in patient.folder.rglob("*") if path.is_file()}
    assert left == {*others, young, patient.file.key, f"tasks/{patient.done.id}/1/0"}
    assert await remove_orphans(patient.store, patient.objects, now) == 0


async def test_a_server_on_the_wrong_database_removes_nothing(patient, tmp_path):
    """Nor does one whose database was restored from an old backup, or that shares its storage with another."""
    other = await Store.open(f"sqlite:{tmp_path}/other.db")
    before = {stat.key async for stat in patient.objects.list()}
    for key in before:
        patient.age(key)
    assert await remove_orphans(other, patient.objects, time.time_ns() // 1_000_000) == 0
    assert {stat.key async for stat in patient.objects.list()} == before
    await other.close()


async def test_an_input_that_is_still_being_stored_is_not_taken_for_lost(patient):
    coming = File("file_2", "files/file_2", "image/png", 3, 1, 1)
    await patient.store.add_file(patient.account, coming, time.time_ns() // 1_000_000)
    assert await patient.examined(repair=True) == {}
    assert await patient.store.file("file_2") is not None


async def test_the_sweep_of_orphans_outlives_a_database_that_fails(patient, monkeypatch):
    key = f"tasks/{patient.done.id}/0/0"
    await patient.objects.put(key, b"x")
    patient.age(key)
    asked = asyncio.Event()

    async def broken(task_id: str, *, known: bool) -> None:
        asked.set()
        raise OSError("no database")

    monkeypatch.setattr(patient.store, "objects_of_task", broken)
    sweeping = asyncio.create_task(
        sweep_orphans(patient.store, patient.objects, lambda: time.time_ns() // 1_000_000, first=0, period=0.01)
    )
    async with asyncio.timeout(30):
        await asked.wait()
        monkeypatch.undo()
        while await patient.objects.stat(key) is not None:
            await asyncio.sleep(0.01)
    assert not sweeping.done()
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)


async def test_a_busy_store_has_no_findings(patient):
    async def work() -> None:
        for _ in range(15):
            await patient.store.submit((new_task(patient.account, price=1, inputs=(patient.file,)),))
            for task in await claimed(patient.store, limit=1, now=int(time.time() * 1000)):
                await moved(patient.store, task, Trigger.FAIL)

    working = asyncio.gather(work(), work())
    while not working.done():
        assert await patient.examined(repair=True) == {}
    await working
