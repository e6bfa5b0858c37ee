"""Small ONNX networks whose arithmetic is known, in place of those that the operator of a server brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Sides = tuple[int | str, int | str]

OPEN: Sides = ("height", "width")
BLUR = 9  # pixels that the blurring upscaler sees at once, and black beyond the borders of what it is given


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Sequence[int | str]],
    output: Sequence[int | str],
    *,
    initializers: Sequence[onnx.TensorProto] = (),
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Write a network with one output, `output`."""
    graph = helper.make_graph(
        list(nodes),
        "stub",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("output", kind, output)],
        list(initializers),
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(path)
    return path


def upscaler(
    path: Path, factor: int = 2, *, sides: Sides = OPEN, half: bool = False, blurs: bool = False, channels: int = 3
) -> Path:
    """Repeats every pixel `factor` times; where it `blurs`, what it repeats is a mean of `BLUR` x `BLUR` pixels."""
    scales = numpy_helper.from_array(np.array([1, 1, factor, factor], np.float32), "scales")
    first = helper.make_node(
        "AveragePool", ["input"], ["seen"], kernel_shape=[BLUR] * 2, pads=[BLUR // 2] * 4, count_include_pad=1
    )
    nodes = [
        first if blurs else helper.make_node("Identity", ["input"], ["seen"]),
        helper.make_node(
            "Resize",
            ["seen", "", "scales"],
            ["output"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
    ]
    larger = [side * factor if isinstance(side, int) else f"larger_{side}" for side in sides]
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    return save(path, nodes, {"input": [1, channels, *sides]}, [1, channels, *larger], initializers=[scales], kind=kind)


def embedding(path: Path, *, numbers: int = 512, side: int | str = 112, silent: bool = False) -> Path:
    """The mean red, green and blue of the face plus 2, each in -1..1 before, and then zeros."""
    into = np.zeros((3, numbers), np.float32)
    if not silent:
        into[:3, :3] = np.eye(3)
    nodes = [
        helper.make_node("GlobalAveragePool", ["face"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Add", ["flat", "two"], ["colours"]),
        helper.make_node("MatMul", ["colours", "into"], ["output"]),
    ]
    initializers = [numpy_helper.from_array(np.array([2], np.float32), "two"), numpy_helper.from_array(into, "into")]
    return save(path, nodes, {"face": ["batch", 3, side, side]}, ["batch", numbers], initializers=initializers)


def matrix() -> np.ndarray:
    """What takes the numbers of `embedding` to those that `face_swap` understands: places 0, 1, 2 to 7, 8, 9."""
    made = np.zeros((512, 512), np.float32)
    made[[0, 1, 2], [7, 8, 9]] = (1, 2, 3)
    return made


def face_swap(
    path: Path,
    tint: float = 1.0,
    *,
    side: int = 128,
    output: int = 128,
    last: onnx.TensorProto | None = None,
    half: bool = False,
) -> Path:
    """Mixes the target with the colour of the three numbers at places 7, 8 and 9 of the source, by `tint`.

    It understands the numbers of `embedding` only where they were multiplied by `matrix`, which is its last initializer
    unless there is another one.
    """
    kind = np.float16 if half else np.float32
    pick = np.zeros((512, 3), kind)
    pick[[7, 8, 9], [0, 1, 2]] = tint
    constants = {
        "pick": pick,
        "shape": np.array([1, 3, 1, 1], np.int64),
        "rest": np.array([1 - tint], kind),
        "sides": np.array([1, 3, output, output], np.int64),
        "none": np.array([], np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["source", "pick"], ["colour"]),
        helper.make_node("Reshape", ["colour", "shape"], ["light"]),
        helper.make_node("Mul", ["target", "rest"], ["dimmed"]),
        helper.make_node("Add", ["dimmed", "light"], ["mixed"]),
        helper.make_node("Resize", ["mixed", "none", "none", "sides"], ["output"], mode="nearest"),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    initializers.append(last if last is not None else numpy_helper.from_array(matrix().astype(kind), "emap"))
    return save(
        path,
        nodes,
        {"target": [1, 3, side, side], "source": [1, 512]},
        [1, 3, output, output],
        initializers=initializers,
        kind=TensorProto.FLOAT16 if half else TensorProto.FLOAT,
    )
