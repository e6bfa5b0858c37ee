"""Writes a file anew beside the old one and puts it in its place, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """An empty file, which takes the old one's name and rights when the block ends well, and goes when it does not."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".mark-", delete=False) as copy:
        new = Path(copy.name)
        try:
            yield copy
            copy.flush()
            shutil.copymode(path, new)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
