"""Runs an ONNX network on one core, with shapes and numbers checked on both sides.

Guarantees: onnxruntime sends nothing to anybody and keeps no file; a file that is no network, or not the network that
it should be, is a `TaskError` whose `detail` names the file and says why; memory that runs out is a `MemoryError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import Code, TaskError
from ..opencv.pictures import Pixels

# Where a network leaves a side open, onnxruntime has a name or nothing: None here.
Shape = tuple[int | None, ...]

NUMBERS: dict[str, np.dtype[Any]] = {"tensor(float)": np.dtype(np.float32), "tensor(float16)": np.dtype(np.float16)}
# How onnxruntime says that there was not enough memory; it has no exception of its own for that.
NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")


class Input:
    """What a network takes under a name: its shape, and whether in whole or half precision."""

    def __init__(self, name: str, shape: Sequence[Any], kind: np.dtype[Any]) -> None:
        self.name = name
        self.shape: Shape = tuple(side if isinstance(side, int) else None for side in shape)
        self.kind = kind

    def takes(self, *shape: int | None) -> bool:
        """Whether values of this shape may be sent; a side of None stands for any."""
        pairs = zip(self.shape, shape, strict=False)
        return len(self.shape) == len(shape) and all(None in pair or pair[0] == pair[1] for pair in pairs)

    def __str__(self) -> str:
        return f"{self.name} ({' x '.join('?' if side is None else str(side) for side in self.shape)})"


class Network:
    """A network from a file. `purpose` names it in what callers read. It is not safe to use from two threads."""

    def __init__(self, path: Path, purpose: str) -> None:
        self.path = path
        self._purpose = purpose
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong arrives as an exception; the rest nobody can change
        try:
            self._session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise self._failed("cannot be loaded", error) from error
        self.inputs = tuple(self._input(each) for each in self._session.get_inputs())
        self._output = self._session.get_outputs()[0].name

    def run(self, values: Mapping[str, Pixels]) -> Pixels:
        """The network's first output as finite float32; `values` are its inputs by name."""
        kinds = {each.name: each.kind for each in self.inputs}
        feeds = {name: np.ascontiguousarray(value, kinds[name]) for name, value in values.items()}
        try:
            [output] = self._session.run([self._output], feeds)
        except Exception as error:
            raise self._failed("cannot be run", error) from error
        numbers = np.asarray(output, np.float32)
        if not np.isfinite(numbers).all():
            raise self.unfit("delivers values that are no numbers")
        return numbers

    def unfit(self, why: str) -> TaskError:
        """The error for a file that is not the network that it should be; `why` follows its name."""
        return TaskError(
            Code.ENGINE_FAILED,
            f"The {self._purpose} of this server does not work. Tell its operator, or ask for another model.",
            detail=f"{self.path} {why}",
        )

    def _failed(self, what: str, error: Exception) -> Exception:
        if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
            return MemoryError(f"{self.path} {what}: {error}")
        return self.unfit(f"{what}: {error}")

    def _input(self, given: Any) -> Input:
        if given.type not in NUMBERS:
            raise self.unfit(f"takes {given.type} as {given.name}; numbers must be float or float16")
        return Input(given.name, given.shape, NUMBERS[given.type])


def planes(rgb: Pixels) -> Pixels:
    """Pixels (height, width, 3) as networks take them: float32 (1, 3, height, width), in 0..255."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32)


def pixels(output: Pixels) -> Pixels:
    """What a network made, (1, 3, height, width) in 0..1, as uint8 (height, width, 3)."""
    made: Pixels = (output[0].transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8)
    return made


@cache
def _runtime() -> Any:
    """The library; it reads when it is loaded that it must not send telemetry, which it does otherwise."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime
