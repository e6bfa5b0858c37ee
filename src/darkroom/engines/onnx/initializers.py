"""Reads the last initializer of an ONNX file, where face swap networks keep a matrix that none of their layers uses.

onnxruntime drops what is not used, and the package onnx would load all of the file, half a gigabyte, for one megabyte.
So this reads as much of protobuf as leads there: every other field is skipped by its length.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..opencv.pictures import Pixels

# How protobuf writes a field: as a number of 7 bits a byte, with its size before it, or in a fixed number of bytes.
VARINT, SIZED = 0, 2
FIXED = {1: 8, 5: 4}
# The fields of onnx.proto that matter: of a model, of its graph, of a tensor.
GRAPH = 7
INITIALIZER = 5
DIMS, DATA_TYPE, FLOAT_DATA, RAW_DATA = 1, 2, 4, 9
KINDS: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2")}  # FLOAT and FLOAT16

Data = bytes | mmap.mmap


def last(path: Path) -> Pixels:
    """The last initializer as float32. `ValueError` says why there is none that can be read."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        tensor = b""
        for graph, start, end in _fields(data, 0, len(data)):
            if graph == GRAPH:
                places = [(left, right) for number, left, right in _fields(data, start, end) if number == INITIALIZER]
                tensor = data[slice(*places[-1])] if places else b""
    if not tensor:
        raise ValueError("it has no initializer")
    return _numbers(tensor)


def _numbers(tensor: bytes) -> Pixels:
    """The values of a tensor."""
    shape: list[int] = []
    kind, content = 0, b""
    for number, start, end in _fields(tensor, 0, len(tensor)):
        if number == DIMS:
            while start < end:  # one of them, or all of them packed
                side, start = _varint(tensor, start)
                shape.append(side)
        elif number == DATA_TYPE:
            kind, _ = _varint(tensor, start)
        elif number in (FLOAT_DATA, RAW_DATA):
            content = tensor[start:end]
    if kind not in KINDS:
        raise ValueError("its last initializer holds no floating-point numbers")
    if len(content) != math.prod(shape) * KINDS[kind].itemsize:
        raise ValueError("its last initializer is damaged, or kept in another file")
    values: Pixels = np.frombuffer(content, KINDS[kind]).reshape(shape).astype(np.float32)
    return values


def _fields(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of every field between two places."""
    while start < end:
        tag, start = _varint(data, start)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            _, stop = _varint(data, start)
        elif kind == SIZED:
            size, start = _varint(data, start)
            stop = start + size
        elif kind in FIXED:
            stop = start + FIXED[kind]
        else:
            raise ValueError("it is no ONNX file")
        if stop > end:
            raise ValueError("it is damaged or incomplete")
        yield number, start, stop
        start = stop


def _varint(data: Data, place: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise ValueError("it is damaged or incomplete")
