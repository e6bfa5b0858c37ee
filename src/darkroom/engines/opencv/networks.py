"""The small networks that ship with the package, run by OpenCV.

Each is loaded once a process and is not safe to use from two threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import cv2

from .pictures import Pixels

FACE_DETECTION = "face_detection_short_range.tflite"
FACE_LANDMARKS = "face_landmark.tflite"
SELFIE_SEGMENTATION = "selfie_segmentation.tflite"


def infer(
    name: str, image: Pixels, outputs: Sequence[str] = (), *, mean: float = 0.0, scale: float = 1.0
) -> list[Pixels]:
    """Run a TensorFlow Lite network on one image (height, width, 3) of uint8 or float32; its only output unless named.

    `mean` is taken off the pixels, which are multiplied by `scale` then. A network of convolutions takes any size.
    """
    network = _load(name)
    network.setInput(cv2.dnn.blobFromImage(image, scale, mean=(mean, mean, mean)))
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
