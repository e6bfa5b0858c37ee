"""Measure upscaling networks against Lanczos on pictures that were never trained on: PSNR, SSIM and time.

    python scripts/measure_upscaler.py [NETWORK.onnx ...]        # without arguments: the one that ships

Networks run through the very code of the engine, on one core, and results are rounded to 8 bits before they are
compared. `train_upscaler.py` says what to install.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage
import sklearn
from PIL import Image
from skimage.metrics import structural_similarity

from darkroom.engines.opencv import upscale
from darkroom.engines.opencv.pictures import Picture

Pixels = npt.NDArray[np.uint8]
Enlarge = Callable[[Pixels, tuple[int, int]], Pixels]
Filter = Image.Resampling

SHIPPED = Path(upscale.__file__).parents[2] / "models" / "tinysr_x2.onnx"
BORDER = 4  # pixels along the edges that are not compared


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a picture became small."""

    factor: int
    filter: Filter
    quality: int | None = None
    noise: float = 0.0

    def __str__(self) -> str:
        jpeg = f", JPEG {self.quality}" if self.quality else ""
        noise = f", noise of {self.noise:g}" if self.noise else ""
        return f"x{self.factor}, {self.filter.name.lower()}{jpeg}{noise}"

    def smaller(self, truth: Pixels) -> Pixels:
        """The small picture that is to be enlarged again."""
        size = (truth.shape[1] // self.factor, truth.shape[0] // self.factor)
        image = Image.fromarray(truth).resize(size, self.filter)
        if self.noise:
            noise = np.random.default_rng(0).normal(0, self.noise, (size[1], size[0], 3))
            image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).round().astype(np.uint8))
        if self.quality:
            file = io.BytesIO()
            image.save(file, "JPEG", quality=self.quality)
            image = Image.open(file)
        return np.array(image)


CASES = [
    Case(factor, by, quality) for factor in (2, 4) for quality in (None, 85) for by in (Filter.BICUBIC, Filter.BOX)
] + [Case(2, Filter.BICUBIC, noise=3.0)]


def held_out() -> Iterator[tuple[str, Pixels]]:
    """Names and pixels of the pictures to measure on; sides are multiples of 4."""
    pictures = Path(skimage.__file__).parent / "data"
    yield "chelsea", read(pictures / "chelsea.png")
    yield "coffee", read(pictures / "coffee.png")
    yield "china", read(Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg")
    yield "grace_hopper", read(SHIPPED.parents[1] / "samples" / "grace_hopper.jpg")


def read(path: Path) -> Pixels:
    """Pixels of a picture whose sides were cut to multiples of 4."""
    rgb = np.array(Image.open(path).convert("RGB"))
    return rgb[: rgb.shape[0] // 4 * 4, : rgb.shape[1] // 4 * 4]


def luma(rgb: Pixels) -> npt.NDArray[np.float64]:
    """Luma in 0..255, without the border."""
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"), np.float64)[BORDER:-BORDER, BORDER:-BORDER, 0]


def scores(rgb: Pixels, truth: Pixels) -> tuple[float, float]:
    """PSNR in dB and SSIM (Gaussian window, deviation 1.5) of the luma."""
    ours, theirs = luma(rgb), luma(truth)
    psnr = 10 * np.log10(255**2 / np.square(ours - theirs).mean())
    ssim = structural_similarity(
        ours, theirs, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(psnr), float(ssim)


def by_lanczos(rgb: Pixels, size: tuple[int, int]) -> Pixels:
    """Enlarge with Pillow's Lanczos filter."""
    return np.array(Image.fromarray(rgb).resize(size, Filter.LANCZOS))


def by_network(rgb: Pixels, size: tuple[int, int]) -> Pixels:
    """Enlarge as the engine does."""
    return upscale.enlarge(Picture(rgb), size, lambda *_: None).rgb


def use(path: Path) -> None:
    """Let the engine's code run the network in `path` from now on."""
    model = np.frombuffer(path.read_bytes(), np.uint8)
    classic = {"engine": cv2.dnn.ENGINE_CLASSIC} if hasattr(cv2.dnn, "ENGINE_CLASSIC") else {}
    network = cv2.dnn.readNetFromONNX(model, **classic)
    upscale._network = lambda: network


def means(enlarge: Enlarge, pictures: dict[str, Pixels]) -> npt.NDArray[np.float64]:
    """Scores as an array of cases x pictures x (PSNR, SSIM)."""
    return np.array(
        [[scores(enlarge(case.smaller(rgb), rgb.shape[1::-1]), rgb) for rgb in pictures.values()] for case in CASES]
    )


def seconds_per_megapixel(rgb: Pixels) -> float:
    """Processor time that doubling takes for a million pixels of the result: the median of nine rounds."""
    rounds = []
    for _ in range(9):
        begun = time.process_time()
        result = upscale.double(rgb, upscale.TILE, lambda: None)
        rounds.append((time.process_time() - begun) / (result.shape[0] * result.shape[1] / 1e6))
    return float(np.median(rounds))


def report(paths: list[Path]) -> None:
    """Print a table of means in Markdown for Lanczos and each network, then gains for each picture, then times."""
    cv2.setNumThreads(1)
    pictures = dict(held_out())
    columns, times = {"Lanczos": means(by_lanczos, pictures)}, {}
    for path in paths:
        use(path)
        columns[path.name] = means(by_network, pictures)
        times[path.name] = seconds_per_megapixel(by_lanczos(pictures["chelsea"], (512, 512)))
    print("PSNR in dB / SSIM of the luma, mean of", ", ".join(pictures), end="\n\n")
    print("| made smaller by |", " | ".join(columns), "|")
    print("|---|" + "---|" * len(columns))
    for row, case in enumerate(CASES):
        cells = [f"{psnr:.2f} / {ssim:.4f}" for psnr, ssim in (column[row].mean(axis=0) for column in columns.values())]
        print(f"| {case} |", " | ".join(cells), "|")
    for name, seconds in times.items():
        gains = columns[name][..., 0] - columns["Lanczos"][..., 0]
        print(f"\n{name}: {1000 * seconds:.0f} ms for each megapixel of the result; dB more than Lanczos:\n")
        for case, of_pictures in zip(CASES, gains, strict=True):
            print(f"{case!s:28}", *(f"{key} {gain:+.2f} " for key, gain in zip(pictures, of_pictures, strict=True)))


if __name__ == "__main__":
    report([Path(argument) for argument in sys.argv[1:]] or [SHIPPED])
