"""What is wrong with a video, as errors that its sender can do something about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import av.error

from ...core.errors import Code, TaskError

T = TypeVar("T")

ACCEPTED = "Send an MP4, MOV or WebM video."


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what the decoder raises into a `TaskError`; nothing but decoding belongs inside."""
    try:
        yield
    except MemoryError:  # PyAV's own is one of its errors, too
        raise
    except (av.error.FFmpegError, OSError, EOFError, ValueError, ArithmeticError) as error:
        raise invalid(
            "The video cannot be read: the file is damaged, incomplete or no video. " + ACCEPTED, detail=repr(error)
        ) from error


def decoded(items: Iterable[T]) -> Iterator[T]:
    """The items of a decoder, whose errors become a `TaskError`."""
    with decoding():
        yield from items


def invalid(message: str, *, detail: str | None = None) -> TaskError:
    """The error for a file that is no usable video."""
    return TaskError(Code.INVALID_MEDIA, message, param="inputs", detail=detail)


def broken(frames: int, error: Exception | None = None) -> TaskError:
    """The error for a video that stops being readable after so many frames."""
    return invalid(
        f"The video is damaged or incomplete: only its first {frames} frames can be read. Send the whole file again.",
        detail=repr(error) if error else None,
    )


def too_long(seconds: float) -> TaskError:
    """The error for a video with more than so many seconds."""
    return TaskError(Code.TOO_LARGE, f"Videos are limited to {seconds:g} seconds. Send a shorter one.", param="inputs")


def too_many_frames(frames: int) -> TaskError:
    """The error for a video with more than so many frames."""
    message = f"Videos are limited to {frames} frames. Send a shorter one, or one with fewer frames a second."
    return TaskError(Code.TOO_LARGE, message, param="inputs")


def too_many_pixels(width: int, height: int, pixels: int) -> TaskError:
    """The error for a video whose frames have more than so many pixels."""
    return TaskError(
        Code.TOO_LARGE,
        f"The video's frames have {width}x{height} pixels; videos are limited to {pixels / 1_000_000:.1f} megapixels "
        "a frame, such as 1920x1080. Send a smaller one.",
        param="inputs",
    )
