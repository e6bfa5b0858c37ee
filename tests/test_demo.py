"""The demo as whoever tries it runs it: a command, a folder of pictures, an exit status."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from darkroom.demo.clients import TensorsLab, connect
from darkroom.demo.jobs import Expected, Job, Run, live
from darkroom.demo.server import running_server

PICTURES = {
    "tensorslab-lake-at-sunset.png": (1280, 720),
    "tensorslab-city-at-night.png": (1280, 720),
    "tensorslab-abstract.png": (1280, 720),
    "dimilinks-watercolour-astronaut.png": (512, 512),
    "dimilinks-planet.png": (1280, 720),
    "muyuhan-twice-the-size-astronaut.png": (1024, 1024),
    "muyuhan-twice-the-size-admiral.png": (1024, 1200),
    "muyuhan-comic-astronaut.png": (512, 512),
    "muyuhan-comic-admiral.png": (512, 600),
}
THUMBNAILS = {name.replace(".png", "-thumbnail.webp") for name in PICTURES if name.startswith("muyuhan")}


def start(folder: Path, temporary: Path, **settings: str) -> subprocess.Popen[str]:
    temporary.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "darkroom", "demo", "--folder", str(folder)],
        env={**os.environ, "TMPDIR": str(temporary), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Ran:
    """A demo that has ended."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.folder, self.temporary = root / "pictures", root / "temporary"
        process = start(self.folder, self.temporary, **settings)
        self.output, self.errors = process.communicate(timeout=120)
        self.status = process.returncode

    def server_runs(self) -> bool:
        found = re.search(r"\(process (\d+)\)", self.output)
        assert found is not None
        return Path(f"/proc/{found[1]}").exists()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("demo"))


class Page(HTMLParser):
    """The attributes of a page's elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.alts: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [given[name] or "" for name in ("href", "src") if name in given]
        for candidate in (given.get("srcset") or "").split(", "):
            self.links += candidate.split()[:1]
        if tag == "img":
            self.alts.append(given.get("alt"))


def test_the_demo_succeeds(ran: Ran) -> None:
    assert (ran.status, ran.errors) == (0, "")


def test_every_picture_opens_with_the_stated_size(ran: Ran) -> None:
    sizes = {}
    for name in PICTURES:
        with Image.open(ran.folder / name) as image:
            image.load()
            sizes[name] = image.size
    assert sizes == PICTURES


def test_the_folder_holds_pictures_thumbnails_and_sheets_alone(ran: Ran) -> None:
    found = {path.name for path in ran.folder.iterdir()}
    assert found == {*PICTURES, *THUMBNAILS, "index.html", "contact-sheet.png"}


def test_every_task_is_told_with_the_states_that_its_client_saw(ran: Ran) -> None:
    table = ran.output.partition("States seen")[2]
    assert len(re.findall(r"TensorsLab .*3 completed \d+\.\d\d +1280x720", table)) == 3
    assert len(re.findall(r"Dimilinks .*succeeded \d+\.\d\d +(1280x720|512x512)", table)) == 2
    assert len(re.findall(r"muyuhan .*30 done \d+\.\d\d +(1024x1024, 1024x1200|512x512, 512x600)", table)) == 2


def test_the_page_mentions_every_picture_and_loads_nothing_from_elsewhere(ran: Ran) -> None:
    page = Page((ran.folder / "index.html").read_text("utf-8"))
    files = {link for link in page.links if not link.startswith("data:image/jpeg;base64,")}
    assert files == {*PICTURES, *THUMBNAILS}


def test_every_picture_of_the_page_has_an_alternative_text(ran: Ran) -> None:
    page = Page((ran.folder / "index.html").read_text("utf-8"))
    assert len(page.alts) == len(PICTURES) + 5  # those before five of them
    assert all(page.alts)


def test_the_contact_sheet_is_1600_pixels_wide(ran: Ran) -> None:
    with Image.open(ran.folder / "contact-sheet.png") as image:
        assert image.width == 1600


def test_nothing_of_the_server_is_left(ran: Ran) -> None:
    assert not ran.server_runs()
    assert list(ran.temporary.iterdir()) == []


def test_wrong_results_fail_the_demo_and_are_named(tmp_path: Path) -> None:
    ran = Ran(tmp_path, DARKROOM_ENGINES="fake")  # which keeps no picture's size
    assert ran.status == 1
    assert "3 of 7 tasks did not succeed:" in ran.errors
    assert "muyuhan, Twice the size, two at once: the picture has 64x64 pixels, not 1024x1024" in ran.errors
    assert not (ran.folder / "index.html").exists()
    assert not ran.server_runs()
    assert list(ran.temporary.iterdir()) == []


def test_a_server_that_does_not_start_shows_why(tmp_path: Path) -> None:
    ran = Ran(tmp_path, DARKROOM_ENGINES="watercolors")
    assert ran.status == 1
    assert "watercolors" in ran.errors
    assert "darkroom demo: the server did not start" in ran.errors
    assert list(ran.temporary.iterdir()) == []


def test_a_terminated_demo_takes_its_server_along(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    demo = start(tmp_path / "pictures", temporary, DARKROOM_ENGINES="fake")
    assert demo.stdout is not None
    found = re.search(r"\(process (\d+)\)", demo.stdout.readline())
    assert found is not None
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=30)
    assert demo.returncode == 128 + signal.SIGTERM
    assert not Path(f"/proc/{found[1]}").exists()
    assert list(temporary.iterdir()) == []


def test_a_failed_task_tells_what_the_vendor_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_ENGINES", "fake")
    with running_server() as server, connect(server.address, server.key) as http:
        client = TensorsLab(http)
        expected = (Expected("never-made", 64, 64),)
        job = Job(client, "Failure", "fake:fail", "", lambda: client.generate("fake:fail", "64x64", 1), expected)
        run = Run(job)
        live(run, tmp_path, threading.Event())
    assert run.failure == "The fake engine failed, as asked. Ask for success."
    assert run.states[-1][0] == "4 failed"
    assert list(tmp_path.iterdir()) == []
