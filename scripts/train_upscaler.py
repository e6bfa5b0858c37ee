"""Train a network that enlarges pictures, and write it as ONNX. It uses one core; progress and results are printed.

In an environment of its own, from the top of a checkout of this repository, on Debian 12 (no root is needed):

    python3 -m venv /tmp/train
    /tmp/train/bin/pip install -e . torch==2.13.0 onnx scikit-image==0.26.0 scikit-learn==1.9.1
    mkdir /tmp/pictures && cd /tmp/pictures
    apt-get download lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 lxqt-themes mate-backgrounds
    apt-get download plasma-workspace-wallpapers
    for deb in *.deb; do dpkg-deb -x "$deb" "${deb%%_*}"; done; cd -
    /tmp/train/bin/python scripts/train_upscaler.py 2 /tmp/pictures /tmp/x2.onnx
    /tmp/train/bin/python scripts/train_upscaler.py 4 /tmp/pictures /tmp/x4.onnx
    /tmp/train/bin/python scripts/measure_upscaler.py --pictures /tmp/pictures --x2 /tmp/x2.onnx --x4 /tmp/x4.onnx

None of the pictures that `measure_upscaler.py` measures on is trained on. The same machine and versions give the same
network: every choice comes from one seed, and one thread does all sums in the same order. A run that was interrupted
goes on from its last checkpoint, a file beside the network, when the same command is given again.
"""

from __future__ import annotations

import argparse
import copy
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import skimage
import sklearn
import torch
from PIL import Image
from torch import Tensor, nn

from darkroom.engines.opencv.pictures import compression_of
from darkroom.engines.opencv.upscale import STRONGEST

Luma = npt.NDArray[np.uint8]
Detail = npt.NDArray[np.float32]
Filter = Image.Resampling

SEED = 20_240_607
BATCH = 8
PATCH = 64  # pixels of the small picture on each side; all but the network's reach around the edge are learned from
WINDOW = 384  # pixels of the large picture on each side; the patches are cut from these
POOL = 64  # windows at hand; one is renewed every `RENEWAL` batches
RENEWAL = 2
SHORTEST, LONGEST = WINDOW, 1600  # pixels of the shorter side of what windows are cut from
FLAT = 1.0  # grey levels: where the bicubic enlargement is less wrong, there is little to learn
WARMING = 200
AVERAGING = 0.999
# Shares of all steps. In the last part the rate falls to nothing and the loss is what PSNR is made of: the root of the
# squared error of each patch. Until `EXACT_FROM` products are of bfloat16, which is faster.
SETTLING_FROM, EXACT_FROM = 0.6, 0.85
CHECKPOINT = 1000  # steps

WHEEL = (
    "astronaut.png brick.png camera.png coins.png grass.png gravel.png hubble_deep_field.jpg ihc.png moon.png "
    "motorcycle_left.png motorcycle_right.png page.png retina.jpg rocket.jpg text.png"
)
PACKAGES = {  # folder in the Debian package: pictures
    "lomiri-wallpapers-16.04/usr/share/backgrounds/{}.jpg": "Bridge_by_Sander_Klootwijk Picture_0B_by_freespace "
    "Picture_1A_by_freespace aitzgorri_by_Aitzol_Berasategi free_by_Peter_Nerlich friends_by_Aitzol_Berasategi "
    "greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi",
    "lomiri-wallpapers-20.04/usr/share/backgrounds/{}.jpg": "Kleiber_by_Lukas_Baubkus",
    "lxqt-themes/usr/share/lxqt/wallpapers/{}": "after-the-rain.jpg appleflower.png butterfly.png cloud.png "
    "flowers.png this-is-not-windows.jpg",
    "mate-backgrounds/usr/share/backgrounds/mate/{}.jpg": "abstract/Elephants_3840x2160 nature/Aqua nature/Blinds "
    "nature/Dune nature/FreshFlower nature/Garden nature/GreenMeadow nature/LadyBird nature/RainDrops nature/Storm "
    "nature/TwoWings nature/Wood nature/YellowFlower",
    "plasma-workspace-wallpapers/usr/share/wallpapers/{}.jpg": "Autumn/contents/images/2560x1600 "
    "BytheWater/contents/images/2560x1600 ColdRipple/contents/images/2560x1600 ColorfulCups/contents/images/2560x1600 "
    "FallenLeaf/contents/images/2560x1600 Flow/contents/images/5120x2880 Grey/contents/images/2560x1600 "
    "OneStandsOut/contents/images/2560x1600 Path/contents/images/2560x1600 SafeLanding/contents/images/5120x2880 "
    "Volna/contents/images/5120x2880",
}


class Network(nn.Module):
    """Detail that a bicubic enlargement lacks.

    Takes n x 2 x h x w: luma in 0..1 and the strength of its compression. There is no padding: the result is smaller by
    `reach` pixels of the input on each side.
    """

    def __init__(self, factor: int, channels: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.reach = layers + 2
        self.first = nn.Sequential(nn.Conv2d(2, channels, 3), nn.PReLU(channels))
        body: list[nn.Module] = []
        for _ in range(layers):
            body += [nn.Conv2d(channels, channels, 3), nn.PReLU(channels)]
        self.body = nn.Sequential(*body)
        self.last = nn.Conv2d(channels, factor * factor, 3)
        self.shuffle = nn.PixelShuffle(factor)
        nn.init.normal_(self.last.weight, std=1e-3)  # so that training starts from the bicubic enlargement
        nn.init.zeros_(self.last.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """Run the network; a skip leads around the layers in the middle."""
        shallow = self.first(planes)
        inner = slice(self.layers, -self.layers)
        return self.shuffle(self.last(self.body(shallow) + shallow[:, :, inner, inner]))


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network: its size, for how many batches it learns, and how fast: `bound` is the steepest gradient."""

    channels: int
    layers: int  # between the first and the last
    steps: int
    rate: float
    bound: float


RECIPES = {2: Recipe(24, 6, 28_000, 1.5e-3, float("inf")), 4: Recipe(48, 6, 9_000, 1e-3, 0.1)}


@dataclass(frozen=True, slots=True)
class Example:
    """A small picture, the strength of its compression, and what its bicubic enlargement lacks."""

    small: Luma
    strength: float
    missing: Detail


class Examples:
    """An endless supply of examples: pictures are varied, made smaller and made worse at random."""

    def __init__(self, factor: int, reach: int, pictures: list[Image.Image]) -> None:
        self.rng = np.random.default_rng(SEED)
        self.factor, self.reach, self.pictures = factor, reach, pictures
        areas = np.sqrt([picture.width * picture.height for picture in pictures])
        self.weights = areas / areas.sum()
        self.pool = [self.example() for _ in range(POOL)]
        self.served = 0

    def batch(self) -> tuple[Tensor, Tensor]:
        """Small patches with the strength of their compression, and the detail that their enlargement lacks."""
        if self.served % RENEWAL == 0:
            self.pool[self.served // RENEWAL % POOL] = self.example()
        self.served += 1
        planes, missing = zip(*(self.patch() for _ in range(BATCH)), strict=True)
        return torch.from_numpy(np.stack(planes)), torch.from_numpy(np.stack(missing))

    def patch(self) -> tuple[Detail, Detail]:
        """Cut a patch, turned and mirrored at random; seldom a flat one."""
        while True:
            example = self.pool[self.rng.integers(POOL)]
            top, left = (int(self.rng.integers(side - PATCH + 1)) for side in example.small.shape)
            rows, columns = (
                slice(self.factor * (start + self.reach), self.factor * (start + PATCH - self.reach))
                for start in (top, left)
            )
            missing = example.missing[rows, columns]
            if missing.std() >= FLAT or self.chance(0.1):
                break
        small = example.small[top : top + PATCH, left : left + PATCH].astype(np.float32) / 255
        turns, step = int(self.rng.integers(4)), -1 if self.chance(0.5) else 1
        small, missing = (np.rot90(array, turns)[:, ::step] for array in (small, missing))
        return np.stack((small, np.full_like(small, example.strength))), missing[None] / 255

    def example(self) -> Example:
        """One window of one picture."""
        truth = self.window()
        small, strength = self.worse(truth)
        bicubic = np.asarray(Image.fromarray(small).resize(truth.size, Filter.BICUBIC), np.float32)
        return Example(small, strength, np.asarray(truth, np.float32) - bicubic)

    def window(self) -> Image.Image:
        """Cut a window out of a picture that may have been made smaller; grey."""
        picture = self.pictures[self.rng.choice(len(self.pictures), p=self.weights)]
        # What was made smaller is crisper: cameras and scanners blur single pixels.
        smallest = max(0.25, min(1.0, SHORTEST / min(picture.size)))
        scale = smallest ** self.rng.uniform(0, 1) if self.chance(0.8) else 1.0
        width, height = (min(WINDOW, int(side * scale)) // self.factor * self.factor for side in picture.size)
        across, down = width / scale, height / scale
        left, top = self.rng.uniform(0, picture.width - across), self.rng.uniform(0, picture.height - down)
        if scale == 1:
            left, top = int(left), int(top)
        box = (left, top, left + across, top + down)
        window = picture.resize((width, height), Filter.LANCZOS, box, reducing_gap=3.0)
        if window.mode == "L":
            return window
        if self.chance(0.3):  # other weights of the colours make another picture of the same scene
            red, green, blue = self.rng.dirichlet((1, 1, 1))
            return window.convert("L", (red, green, blue, 0))
        return window.convert("L")

    def worse(self, truth: Image.Image) -> tuple[Luma, float]:
        """Make a picture smaller, the way that real pictures come to be small; and how strongly it was compressed."""
        how = (Filter.BICUBIC, Filter.BOX, Filter.LANCZOS)[self.rng.choice(3, p=(0.4, 0.4, 0.2))]
        small = np.asarray(truth.resize((truth.width // self.factor, truth.height // self.factor), how))
        if self.chance(0.15):
            noise = self.rng.normal(0, self.rng.uniform(0, 4), small.shape)
            small = (small + noise).clip(0, 255).round().astype(np.uint8)
        if self.chance(0.5):
            return small, 0.0
        file = io.BytesIO()
        Image.fromarray(small).save(file, "JPEG", quality=int(self.rng.integers(65, 98)))
        with Image.open(file) as image:
            strength = min(1.0, compression_of(image) / STRONGEST)
            # One in ten was a JPEG file once, and nobody says so.
            return np.asarray(image), strength if self.chance(0.9) else 0.0

    def chance(self, share: float) -> bool:
        """True for about `share` of all calls."""
        return bool(self.rng.random() < share)


def training_pictures(folder: Path, factor: int) -> list[Image.Image]:
    """The pictures in the wheels, and in the Debian packages in `folder`, that the network may see.

    Those too small for a patch are left out.
    """
    paths = [Path(skimage.__file__).parent / "data" / name for name in WHEEL.split()]
    paths.append(Path(sklearn.__file__).parent / "datasets" / "images" / "flower.jpg")
    paths += [folder / place.format(name) for place, names in PACKAGES.items() for name in names.split()]
    found = []
    for path in paths:
        picture = Image.open(path)
        picture = picture if picture.mode == "L" else picture.convert("RGB")
        if (shrink := min(picture.size) / LONGEST) > 1:
            size = (round(picture.width / shrink), round(picture.height / shrink))
            picture = picture.resize(size, Filter.LANCZOS, reducing_gap=3.0)
        if min(picture.size) >= PATCH * factor:
            found.append(picture)
    return found


class Training:
    """A network on its way; `average` is the running average of its weights, which is better than the last ones."""

    def __init__(self, factor: int, steps: int, checkpoint: Path, pictures: list[Image.Image]) -> None:
        self.recipe = RECIPES[factor]
        network = Network(factor, self.recipe.channels, self.recipe.layers)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)
        self.adam = torch.optim.Adam(self.network.parameters())
        self.examples = Examples(factor, self.network.reach, pictures)
        self.steps, self.checkpoint = steps, checkpoint
        self.done = 0
        if checkpoint.exists():
            self._load()

    def run(self) -> Network:
        """Train to the end; returns the average."""
        begun, error = time.process_time(), 0.0
        while self.done < self.steps:
            error += 255 * self._step()
            self.done += 1
            if self.done % CHECKPOINT == 0:
                print(
                    f"{self.done:6} steps, {time.process_time() - begun:5.0f} s, error {error / CHECKPOINT:.3f}",
                    flush=True,
                )
                error = 0.0
                self._save()
        return self.average

    def _step(self) -> float:
        """Learn from one batch; returns the mean error."""
        share = self.done / self.steps
        settling = (share - SETTLING_FROM) / (1 - SETTLING_FROM)
        rate = min(1.0, (self.done + 1) / WARMING) * (1 + np.cos(np.pi * max(0.0, settling))) / 2
        self.adam.param_groups[0]["lr"] = self.recipe.rate * rate
        planes, missing = self.examples.batch()
        with torch.autocast("cpu", torch.bfloat16, enabled=share < EXACT_FROM):
            found = self.network(planes.to(memory_format=torch.channels_last))
        errors = found.float() - missing
        squared = errors.square()
        if settling >= 0:
            squared = squared.mean(dim=(1, 2, 3))
        loss = (squared + 1e-6).sqrt().mean()
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.bound)
        self.adam.step()
        keep = min(AVERAGING, (self.done + 1) / (self.done + 10))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(new, 1 - keep)
        return errors.detach().abs().mean().item()

    def _save(self) -> None:
        examples = self.examples
        state: dict[str, Any] = {name: getattr(self, name).state_dict() for name in ("network", "average", "adam")}
        state |= {"done": self.done, "rng": examples.rng, "pool": examples.pool, "served": examples.served}
        fresh = self.checkpoint.with_suffix(".new")
        torch.save(state, fresh)
        fresh.replace(self.checkpoint)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, weights_only=False)
        for name in ("network", "average", "adam"):
            getattr(self, name).load_state_dict(state[name])
        self.done = state["done"]
        self.examples.rng, self.examples.pool = state["rng"], state["pool"]
        self.examples.served = state["served"]


def export(network: Network, path: Path) -> None:
    """Write the network as ONNX.

    OpenCV takes pictures of any size whatever the file says, but prints warnings for sizes that are left open.
    """
    patch = torch.zeros(1, 2, PATCH, PATCH)
    torch.onnx.export(
        network.eval(), (patch,), path, input_names=["y"], output_names=["r"], opset_version=17, dynamo=False
    )


def main() -> None:
    """Read the command line, train, export."""
    parser = argparse.ArgumentParser(description="Train an upscaling network.")
    parser.add_argument("factor", type=int, choices=tuple(RECIPES), help="how many times wider and higher")
    parser.add_argument("pictures", type=Path, help="folder with the unpacked Debian packages")
    parser.add_argument("path", type=Path, help="where to write the network")
    parser.add_argument("--steps", type=int, help="batches to learn from")
    arguments = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    steps = arguments.steps or RECIPES[arguments.factor].steps
    checkpoint = arguments.path.with_suffix(".checkpoint")
    found = training_pictures(arguments.pictures, arguments.factor)
    export(Training(arguments.factor, steps, checkpoint, found).run(), arguments.path)


if __name__ == "__main__":
    main()
