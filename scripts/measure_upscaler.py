"""Measure upscaling networks against Lanczos on pictures that were never trained on: PSNR, SSIM and time.

    python scripts/measure_upscaler.py [--pictures FOLDER] [--x2 NETWORK.onnx] [--x4 NETWORK.onnx]

Without arguments: the networks that ship, on four pictures. With the folder of unpacked Debian packages that
`train_upscaler.py` tells of: on four more. Small pictures are written as files, which go through the very code of the
engine, on one core; results are rounded to 8 bits before they are compared. `train_upscaler.py` says what to install.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
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

import darkroom
from darkroom.engines._child import keep_memory
from darkroom.engines.opencv import pictures, upscale
from darkroom.engines.opencv.pictures import Picture

Pixels = npt.NDArray[np.uint8]
Enlarge = Callable[[Picture, tuple[int, int]], Picture]
Filter = Image.Resampling

BORDER = 4  # pixels along the edges that are not compared
SHORTER = 512  # pixels of the shorter side to which large photographs are brought first, with Lanczos
MORE = {
    "leaves": "lomiri-wallpapers-16.04/usr/share/backgrounds/Dragonfly_by_Bolly.jpg",
    "room": "lomiri-wallpapers-16.04/usr/share/backgrounds/Wine_by_Jakkub_Mede.jpg",
    "mountains": "lomiri-wallpapers-16.04/usr/share/backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg",
    "boats": "plasma-workspace-wallpapers/usr/share/wallpapers/EveningGlow/contents/images/2560x1600.jpg",
}


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

    def smaller(self, truth: Pixels, folder: Path) -> Picture:
        """The small picture that is to be enlarged again, as the engine reads it from a file."""
        size = (truth.shape[1] // self.factor, truth.shape[0] // self.factor)
        image = Image.fromarray(truth).resize(size, self.filter)
        if self.noise:
            noise = np.random.default_rng(0).normal(0, self.noise, (size[1], size[0], 3))
            image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).round().astype(np.uint8))
        if self.quality:
            image.save(folder / "small.jpg", quality=self.quality)
            return pictures.read(folder / "small.jpg")
        image.save(folder / "small.png")
        return pictures.read(folder / "small.png")


CASES = [
    Case(factor, by, quality) for factor in (2, 4) for quality in (None, 85) for by in (Filter.BICUBIC, Filter.BOX)
] + [Case(factor, Filter.BICUBIC, noise=3.0) for factor in (2, 4)]


def held_out(packages: Path | None) -> Iterator[tuple[str, Pixels]]:
    """Names and pixels of the pictures to measure on; sides are multiples of 4."""
    wheel = Path(skimage.__file__).parent / "data"
    yield "chelsea", read(wheel / "chelsea.png")
    yield "coffee", read(wheel / "coffee.png")
    yield "china", read(Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg")
    yield "grace_hopper", read(Path(darkroom.__file__).parent / "samples" / "grace_hopper.jpg")
    if packages:
        for name, place in MORE.items():
            yield name, read(packages / place, SHORTER)


def read(path: Path, shorter: int | None = None) -> Pixels:
    """Pixels of a picture whose sides were cut to multiples of 4."""
    image = Image.open(path).convert("RGB")
    if shorter:
        scale = shorter / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Filter.LANCZOS)
    rgb = np.array(image)
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


def by_network(small: Picture, size: tuple[int, int]) -> Picture:
    """Enlarge as the engine does."""
    return upscale.enlarge(small, size, lambda *_: None)


def use(paths: dict[int, Path]) -> None:
    """Let the engine's code run the networks in `paths` in place of those that ship."""
    shipped = upscale.network
    networks = {factor: upscale.load(path, factor) for factor, path in paths.items()}
    upscale.network = lambda factor: networks.get(factor) or shipped(factor)


def measure(enlarge: Enlarge, truths: dict[str, Pixels]) -> npt.NDArray[np.float64]:
    """Scores as an array of cases x pictures x (PSNR, SSIM)."""
    with tempfile.TemporaryDirectory() as folder:
        return np.array(
            [
                [scores(enlarge(case.smaller(rgb, Path(folder)), rgb.shape[1::-1]).rgb, rgb) for rgb in truths.values()]
                for case in CASES
            ]
        )


def seconds_per_megapixel(rgb: Pixels, factor: int) -> list[float]:
    """Processor time that enlarging takes for a million pixels of the result, of eleven rounds; the fastest first."""
    rounds = []
    for _ in range(11):
        begun = time.process_time()
        result = upscale.multiply(rgb, factor, upscale.TILE, lambda: None)
        rounds.append((time.process_time() - begun) / (result.shape[0] * result.shape[1] / 1e6))
    return sorted(rounds)


def report(packages: Path | None) -> None:
    """Print tables in Markdown: means for Lanczos and the networks, gains for each picture, and times."""
    cv2.setNumThreads(1)
    keep_memory()  # as engine processes do
    truths = dict(held_out(packages))
    lanczos, network = measure(pictures.fit, truths), measure(by_network, truths)
    for many in sorted({4, len(truths)}):
        title(f"mean of {many} pictures", "Lanczos", "networks", "gain, dB")
        means = (scored[:, :many].mean(axis=1) for scored in (network, lanczos))
        for case, ours, theirs in zip(CASES, *means, strict=True):
            cells = " | ".join(f"{psnr:.2f} / {ssim:.4f}" for psnr, ssim in (theirs, ours))
            print(f"| {case} | {cells} | {ours[0] - theirs[0]:+.2f} |")
    title("gain, dB", *truths)
    for case, gains in zip(CASES, (network - lanczos)[..., 0], strict=True):
        print(f"| {case} |", " | ".join(f"{gain:+.2f}" for gain in gains), "|")
    title("ms for each megapixel of the result", "fastest", "median", "busy processes meanwhile")
    for factor, side in itertools.product((2, 4), (1024, 2048)):
        rgb = np.array(Image.fromarray(truths["chelsea"]).resize((side // factor,) * 2, Filter.LANCZOS))
        times = [1000 * seconds for seconds in seconds_per_megapixel(rgb, factor)]
        busy = os.getloadavg()[0]
        print(f"| x{factor}, to {side}x{side} | {times[0]:.0f} | {times[len(times) // 2]:.0f} | {busy:.1f} |")


def title(*columns: str) -> None:
    """Print the head of a table."""
    print("\n|", " | ".join(columns), "|\n|" + "---|" * len(columns))


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description="Measure the upscaling networks.")
    parser.add_argument("--pictures", type=Path, help="folder with the unpacked Debian packages")
    for factor in (2, 4):
        parser.add_argument(f"--x{factor}", type=Path, help="a network in place of the one that ships")
    arguments = vars(parser.parse_args())
    use({factor: path for factor in (2, 4) if (path := arguments[f"x{factor}"])})
    report(arguments["pictures"])


if __name__ == "__main__":
    main()
