"""The small networks that ship with the package, run by OpenCV.

Each is loaded once a process and is not safe to use from two threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np

from .pictures import Pixels

FACE_DETECTION = "face_detection_short_range.tflite"
FACE_LANDMARKS = "face_landmark.tflite"
SELFIE_SEGMENTATION = "selfie_segmentation.tflite"


def infer(name: str, image: Pixels, outputs: Sequence[str] = ()) -> list[Pixels]:
    """Run a TensorFlow Lite network on one float32 image (height, width, 3); its only output unless some are named."""
    network = _load(name)
    network.setInput(np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32))
    if outputs:
        return list(network.forward(list(outputs)))
    return [network.forward()]


@cache
def _load(name: str) -> Any:
    with resources.as_file(resources.files("darkroom").joinpath("models", name)) as path:
        # OpenCV 5's new engine cannot be asked for several outputs; and it heeds the choice for a path only, not for
        # the content of a file.
        if hasattr(cv2.dnn, "ENGINE_CLASSIC"):
            return cv2.dnn.readNetFromTFLite(str(path), engine=cv2.dnn.ENGINE_CLASSIC)
        return cv2.dnn.readNetFromTFLite(str(path))
