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

import av
import pytest
from PIL import Image

from darkroom.demo.clients import Native, TensorsLab, connect
from darkroom.demo.jobs import Job, Run, live
from darkroom.demo.results import Expected
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
    "muyuhan-face-swap.png": (512, 600),
}
CLIPS = ("darkroom-camera-move.mp4", "darkroom-face-swap.mp4")
STILLS = tuple(name.replace(".mp4", ".jpg") for name in CLIPS)
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
        self.output, self.errors = process.communicate(timeout=600)
        self.status = process.returncode

    def server_runs(self) -> bool:
        found = re.search(r"\(process (\d+)\)", self.output)
        assert found is not None
        return Path(f"/proc/{found[1]}").exists()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("demo"))


class Page(HTMLParser):
    """The attributes of a page's elements; of its clips, all."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.alts: list[str | None] = []
        self.clips: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [given[name] or "" for name in ("href", "src", "poster") if name in given]
        for candidate in (given.get("srcset") or "").split(", "):
            self.links += candidate.split()[:1]
        if tag == "img":
            self.alts.append(given.get("alt"))
        if tag == "video":
            self.clips.append(given)


def test_the_demo_succeeds(ran: Ran) -> None:
    assert (ran.status, ran.errors) == (0, "")


def test_every_picture_opens_with_the_stated_size(ran: Ran) -> None:
    sizes = {}
    for name in PICTURES:
        with Image.open(ran.folder / name) as image:
            image.load()
            sizes[name] = image.size
    assert sizes == PICTURES


@pytest.mark.parametrize("name", CLIPS)
def test_every_clip_decodes_with_the_stated_size_and_length(ran: Ran, name: str) -> None:
    with av.open(ran.folder / name) as container:
        assert container.duration == pytest.approx(2_000_000, abs=100_000)
        frames = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert frames == [(480, 480)] * 24


def brightness(path: Path, box: tuple[int, int, int, int]) -> bytes:
    with Image.open(path) as image:
        return image.convert("L").crop(box).tobytes()


def test_the_face_of_the_clip_is_swapped_and_the_rest_is_kept(ran: Ran) -> None:
    face, helmet = (190, 60, 270, 150), (280, 340, 460, 470)
    differences = []
    for box in (face, helmet):
        before, after = (brightness(ran.folder / name, box) for name in STILLS)
        differences.append(sum(abs(a - b) for a, b in zip(before, after, strict=True)) / len(before))
    assert differences[0] > 10
    assert differences[1] < 3


def test_the_folder_holds_results_thumbnails_and_sheets_alone(ran: Ran) -> None:
    found = {path.name for path in ran.folder.iterdir()}
    assert found == {*PICTURES, *THUMBNAILS, *CLIPS, *STILLS, "index.html", "contact-sheet.png"}


def test_every_task_is_told_with_the_states_that_its_client_saw(ran: Ran) -> None:
    table = ran.output.partition("States seen")[2]
    assert len(re.findall(r"TensorsLab .*3 completed \d+\.\d\d +1280x720", table)) == 3
    assert len(re.findall(r"Dimilinks .*succeeded \d+\.\d\d +(1280x720|512x512)", table)) == 2
    assert len(re.findall(r"muyuhan .*30 done \d+\.\d\d +(1024x1024, 1024x1200|512x512, 512x600|512x600)", table)) == 3
    assert len(re.findall(r"Darkroom .*succeeded \d+\.\d\d +480x480, 2\.0 s", table)) == 2


def test_the_page_mentions_every_result_and_loads_nothing_from_elsewhere(ran: Ran) -> None:
    page = Page((ran.folder / "index.html").read_text("utf-8"))
    files = {link for link in page.links if not link.startswith("data:image/jpeg;base64,")}
    assert files == {*PICTURES, *THUMBNAILS, *CLIPS, *STILLS}


def test_every_picture_of_the_page_has_an_alternative_text(ran: Ran) -> None:
    page = Page((ran.folder / "index.html").read_text("utf-8"))
    assert len(page.alts) == len(PICTURES) + 7  # those that pictures and clips were made from
    assert all(page.alts)


def test_every_clip_of_the_page_has_controls_a_poster_and_a_label(ran: Ran) -> None:
    page = Page((ran.folder / "index.html").read_text("utf-8"))
    made, before, after = page.clips
    assert [clip["src"] for clip in page.clips] == [CLIPS[0], CLIPS[0], CLIPS[1]]
    assert [clip["poster"] for clip in page.clips] == [STILLS[0], STILLS[0], STILLS[1]]
    for clip in (made, before, after):
        assert {"controls", "muted", "loop"} <= clip.keys()
        assert clip["aria-label"]


def test_the_contact_sheet_is_1600_pixels_wide(ran: Ran) -> None:
    with Image.open(ran.folder / "contact-sheet.png") as image:
        assert image.width == 1600


def test_nothing_of_the_server_is_left(ran: Ran) -> None:
    assert not ran.server_runs()
    assert list(ran.temporary.iterdir()) == []


def test_wrong_results_fail_the_demo_and_are_named(tmp_path: Path) -> None:
    ran = Ran(tmp_path, DARKROOM_ENGINES="fake")  # which keeps no picture's size
    assert ran.status == 1
    assert "6 of 10 tasks did not succeed:" in ran.errors
    assert "muyuhan, Twice the size, two at once: the picture has 64x64 pixels, not 1024x1024" in ran.errors
    assert "Darkroom, Another's face in the clip: there is no clip to work on" in ran.errors
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
    demo.communicate(timeout=120)
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


@pytest.mark.parametrize(
    ("engine", "model", "params", "reason"),
    [
        ("fake", "fake", {}, r"a result of \d+ bytes is no MP4"),
        ("procedural", "procedural-video-v1", {"duration": 1}, r"the clip lasts 1\.0 s, not 2\.0"),
        ("procedural", "procedural-video-v1", {"size": "80x64"}, "the clip has 80x64 pixels, not 64x64"),
    ],
)
def test_a_result_that_is_not_the_clip_asked_for_fails_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, model: str, params: dict[str, object], reason: str
) -> None:
    monkeypatch.setenv("DARKROOM_ENGINES", engine)
    shape = {"duration": 2, "fps": 8, "size": "64x64"} if engine == "procedural" else {}
    with running_server() as server, connect(server.address, server.key) as http:
        client = Native(http)
        job = Job(
            client,
            "Clip",
            "a lake",
            "",
            lambda: client.create("video.generate", model, [], {"prompt": "a lake", **shape, **params}),
            (Expected("never-made", 64, 64, seconds=2),),
        )
        run = Run(job)
        live(run, tmp_path, threading.Event())
    assert run.failure is not None
    assert re.fullmatch(reason, run.failure)
    assert list(tmp_path.iterdir()) == []
