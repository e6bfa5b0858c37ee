"""Train the network that enlarges pictures, and write it as ONNX. It uses one core; progress and results are printed.

In an environment of its own, from the top of a checkout (about 20 minutes of one core; no other download):

    python3 -m venv /tmp/train && /tmp/train/bin/pip install -e . torch==2.13.0 onnx scikit-image scikit-learn
    /tmp/train/bin/python scripts/train_upscaler.py /tmp/candidate.onnx
    /tmp/train/bin/python scripts/measure_upscaler.py src/darkroom/models/tinysr_x2.onnx /tmp/candidate.onnx

The pictures are those inside the wheels of scikit-image and scikit-learn. None of the pictures that
`measure_upscaler.py` measures on is among them. The same machine and versions give the same network: every choice
comes from one seed, and one thread does all sums in the same order.
"""

from __future__ import annotations

import argparse
import copy
import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage
import sklearn
import torch
from measure_upscaler import report
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

Luma = npt.NDArray[np.uint8]
Filter = Image.Resampling

SEED = 20_240_607
LAYERS = 5  # of 3x3 between the first and the last
REACH = 2 + LAYERS + 1  # pixels around a pixel that its detail depends on; upscale.py overlaps its tiles by as much
BATCH = 16
PATCH = 48  # pixels of the small picture on each side; all but REACH around the edge are learned from
WINDOW = 384  # pixels of the large picture on each side; the patches are cut from these
POOL = 48
STEEPEST = 2e-3
WARMING = 200
AVERAGING = 0.999
REFINING_FROM = 0.8  # the last fifth minimises what PSNR is made of: the root of the squared error of each patch

SKIMAGE = (
    "astronaut.png brick.png camera.png coins.png grass.png gravel.png hubble_deep_field.jpg ihc.png moon.png "
    "motorcycle_left.png motorcycle_right.png page.png retina.jpg rocket.jpg text.png"
)


class Network(nn.Module):
    """Detail that a bicubic enlargement lacks: n x 1 x h x w of luma in 0..1 to n x 1 x 2h x 2w.

    Without `padded` the result is smaller by `REACH` pixels of the input on each side, and holds true values only.
    """

    def __init__(self, channels: int, padded: bool) -> None:
        super().__init__()
        self.channels = channels
        edge = 1 if padded else 0
        self.skipped = 0 if padded else LAYERS
        self.first = nn.Sequential(nn.Conv2d(1, channels, 5, padding=2 * edge), nn.PReLU(channels))
        layers: list[nn.Module] = []
        for _ in range(LAYERS):
            layers += [nn.Conv2d(channels, channels, 3, padding=edge), nn.PReLU(channels)]
        self.body = nn.Sequential(*layers)
        self.last = nn.Conv2d(channels, 4, 3, padding=edge)
        self.shuffle = nn.PixelShuffle(2)
        nn.init.normal_(self.last.weight, std=1e-3)  # so that training starts from the bicubic enlargement
        nn.init.zeros_(self.last.bias)

    def forward(self, luma: Tensor) -> Tensor:
        """Run the network; a skip leads around the layers in the middle."""
        shallow = self.first(luma)
        deep = self.body(shallow)
        if self.skipped:
            shallow = functional.pad(shallow, [-self.skipped] * 4)
        return self.shuffle(self.last(deep + shallow))


@dataclass(frozen=True, slots=True)
class Example:
    """A small picture, its bicubic enlargement, and what the enlargement should have been."""

    small: Luma
    bicubic: Luma
    truth: Luma


class Examples:
    """An endless supply of examples: pictures are varied, made smaller and made worse at random."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.pictures = training_pictures()
        areas = np.array([picture.width * picture.height for picture in self.pictures])
        self.weights = np.sqrt(areas) / np.sqrt(areas).sum()
        self.pool: list[Example] = []
        self.renewed = 0

    def batch(self, network: Network) -> tuple[Tensor, Tensor]:
        """Small patches, and the detail that their bicubic enlargement lacks; `network` is the present state."""
        while len(self.pool) < POOL:
            self.pool.append(self.example(network))
        self.pool[self.renewed % POOL] = self.example(network)
        self.renewed += 1
        patches = [self.patch(self.pool[self.rng.integers(POOL)]) for _ in range(BATCH)]
        small, missing = (np.stack(arrays)[:, None] for arrays in zip(*patches, strict=True))
        return torch.from_numpy(small) / 255, torch.from_numpy(missing) / 255

    def patch(self, example: Example) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Cut a patch, turned and mirrored at random."""
        top, left = (int(self.rng.integers(side - PATCH + 1)) for side in example.small.shape)
        large = np.s_[2 * (top + REACH) : 2 * (top + PATCH - REACH), 2 * (left + REACH) : 2 * (left + PATCH - REACH)]
        small = example.small[top : top + PATCH, left : left + PATCH].astype(np.float32)
        missing = example.truth[large].astype(np.float32) - example.bicubic[large]
        turns, mirrored = int(self.rng.integers(4)), self.chance(0.5)
        small, missing = (np.rot90(array, turns)[:, :: -1 if mirrored else 1] for array in (small, missing))
        return np.ascontiguousarray(small), np.ascontiguousarray(missing)

    def example(self, network: Network) -> Example:
        """One window of one picture; a third of them teach the second of two doublings."""
        truth = self.window()
        twice = self.chance(1 / 3)
        small = enlarge(network, self.worse(truth, 4)) if twice else self.worse(truth, 2)
        return Example(small, bicubic(small), np.asarray(truth))

    def window(self) -> Image.Image:
        """Cut a window, its sides multiples of 4, out of a picture that may have been made smaller; grey."""
        picture = self.pictures[self.rng.choice(len(self.pictures), p=self.weights)]
        shortest = min(picture.size)
        # What was made smaller is crisper: cameras and scanners blur single pixels.
        scale = self.rng.uniform(max(0.5, min(1.0, 256 / shortest)), 1.0) if self.chance(0.6) else 1.0
        width, height = (min(WINDOW, int(side * scale)) // 4 * 4 for side in picture.size)
        across, down = width / scale, height / scale
        left, top = self.rng.uniform(0, picture.width - across), self.rng.uniform(0, picture.height - down)
        if scale == 1:
            left, top = int(left), int(top)
        window = picture.resize((width, height), Filter.LANCZOS, (left, top, left + across, top + down))
        if window.mode == "L":
            return window
        if self.chance(0.3):  # other weights of the colours make another picture of the same scene
            red, green, blue = self.rng.dirichlet((1, 1, 1))
            return window.convert("L", (red, green, blue, 0))
        return window.convert("YCbCr").getchannel(0)

    def worse(self, truth: Image.Image, factor: int) -> Luma:
        """Make a picture smaller by `factor`, the way that real pictures come to be small."""
        how = (Filter.BICUBIC, Filter.BOX, Filter.LANCZOS)[self.rng.choice(3, p=(0.45, 0.35, 0.2))]
        small = np.asarray(truth.resize((truth.width // factor, truth.height // factor), how))
        if self.chance(0.15):
            noise = self.rng.normal(0, self.rng.uniform(0, 4), small.shape)
            small = (small + noise).clip(0, 255).round().astype(np.uint8)
        if self.chance(0.45):
            file = io.BytesIO()
            Image.fromarray(small).save(file, "JPEG", quality=int(self.rng.integers(75, 97)))
            small = np.asarray(Image.open(file))
        return small

    def chance(self, share: float) -> bool:
        """True for about `share` of all calls."""
        return bool(self.rng.random() < share)


def training_pictures() -> list[Image.Image]:
    """The pictures in the wheels that the network may see."""
    paths = [Path(skimage.__file__).parent / "data" / name for name in SKIMAGE.split()]
    paths.append(Path(sklearn.__file__).parent / "datasets" / "images" / "flower.jpg")
    pictures = [Image.open(path) for path in paths]
    return [picture if picture.mode == "L" else picture.convert("RGB") for picture in pictures]


def bicubic(small: Luma) -> Luma:
    """Twice the size with Pillow's bicubic filter, which the network was made to add to."""
    height, width = small.shape
    return np.asarray(Image.fromarray(small).resize((2 * width, 2 * height), Filter.BICUBIC))


@torch.no_grad()
def enlarge(network: Network, small: Luma) -> Luma:
    """Twice the size with the network as far as it is trained."""
    padded = np.pad(small, REACH, "reflect").astype(np.float32) / 255
    detail = network(torch.from_numpy(padded)[None, None])[0, 0].numpy()
    return (bicubic(small) + 255 * detail).clip(0, 255).round().astype(np.uint8)


def train(steps: int, channels: int, examples: Examples) -> Network:
    """Train for `steps` batches; returns the running average of the weights, which is better than the last ones."""
    network = Network(channels, padded=False)
    average = copy.deepcopy(network)
    adam = torch.optim.Adam(network.parameters(), STEEPEST)
    begun, loss_so_far = time.process_time(), 0.0
    for step in range(steps):
        rate = min(1.0, (step + 1) / WARMING) * (1 + np.cos(np.pi * step / steps)) / 2
        adam.param_groups[0]["lr"] = STEEPEST * rate
        small, missing = examples.batch(average)
        errors = network(small) - missing
        squared = errors.square()
        if step >= REFINING_FROM * steps:
            squared = squared.mean(dim=(1, 2, 3))
        loss = (squared + 1e-6).sqrt().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        keep = min(AVERAGING, (step + 1) / (step + 10))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1 - keep)
        loss_so_far += errors.detach().abs().mean().item()
        if (step + 1) % 500 == 0:
            print(f"{step + 1:6} steps, {time.process_time() - begun:5.0f} s, error {255 * loss_so_far / 500:.3f}")
            loss_so_far = 0.0
    return average


def export(network: Network, path: Path) -> None:
    """Write the network as ONNX for pictures of any size."""
    padded = Network(network.channels, padded=True).eval()
    padded.load_state_dict(network.state_dict())
    axes = {"y": {0: "n", 2: "h", 3: "w"}, "r": {0: "n", 2: "2h", 3: "2w"}}
    torch.onnx.export(
        padded,
        (torch.zeros(1, 1, 64, 64),),
        path,
        input_names=["y"],
        output_names=["r"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


def main() -> None:
    """Read the command line, train, export, measure."""
    parser = argparse.ArgumentParser(description="Train the upscaling network.")
    parser.add_argument("path", type=Path, help="where to write the network")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--channels", type=int, default=24)
    arguments = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    export(train(arguments.steps, arguments.channels, Examples(SEED)), arguments.path)
    report([arguments.path])


if __name__ == "__main__":
    main()
