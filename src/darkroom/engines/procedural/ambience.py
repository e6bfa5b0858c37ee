"""Sound for a scene: wind, waves, rain or the hum of a town, shaped from noise; the same for the same seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .frame import Plane, stream
from .prompt import Scene

RATE = 48_000
FADE = 0.6  # seconds in which the sound comes and goes
LOUD = 0.28  # of full scale, the loudest that a sound gets


@dataclass(frozen=True, slots=True)
class Voice:
    """One part of a sound: noise between two frequencies (Hz) that falls by `slope` (power of the frequency), swells by
    `depth` (0 to 1) every `period` seconds, and has a share of the whole."""

    low: float
    high: float
    slope: float
    period: float
    depth: float
    share: float


VOICES = {
    "wind": (Voice(60, 900, 0.9, 5.0, 0.75, 1.0), Voice(500, 2400, 1.2, 3.1, 0.9, 0.2)),
    "sea": (Voice(40, 700, 0.8, 7.0, 0.6, 0.9), Voice(500, 7000, 0.8, 7.0, 0.95, 0.5)),
    "lake": (Voice(150, 1800, 0.9, 3.3, 0.7, 0.5), Voice(60, 500, 0.9, 6.1, 0.6, 0.4)),
    "rain": (Voice(700, 12_000, 0.35, 9.0, 0.15, 0.8), Voice(80, 500, 0.9, 6.0, 0.5, 0.4)),
    "city": (Voice(35, 220, 1.0, 9.0, 0.35, 1.0), Voice(300, 1600, 1.1, 4.7, 0.6, 0.15)),
    "space": (Voice(28, 130, 1.2, 11.0, 0.5, 1.0), Voice(180, 420, 1.5, 8.0, 0.9, 0.2)),
}


def kind(scene: Scene) -> str:
    """Which sound fits a scene."""
    if "rain" in scene.weather:
        return "rain"
    subjects = {scene.subject, *scene.parts}
    return next((name for name in ("sea", "lake", "city", "space") if name in subjects), "wind")


def compose(name: str, seconds: float, seed: int) -> NDArray[np.float32]:
    """Two channels of samples, -1 to 1, at `RATE` a second."""
    count = round(seconds * RATE)
    random = stream(seed, "ambience", name)
    sound = np.zeros((2, count), np.float32)
    for voice in VOICES[name]:
        swell = _swell(voice, count, random)
        for side in range(2):
            sound[side] += _noise(voice, count, random) * swell * np.float32(voice.share)
    sound *= np.float32(LOUD) / max(float(np.abs(sound).max()), 1e-6)
    edge = np.arange(count, dtype=np.float32) / RATE
    return sound * np.clip(np.minimum(edge, edge[::-1]) / FADE, 0, 1)


def _noise(voice: Voice, count: int, random: np.random.Generator) -> Plane:
    """Noise of deviation 1 with the spectrum of a voice."""
    frequencies = np.fft.rfftfreq(count, 1 / RATE)
    level = np.maximum(frequencies, 1.0) ** -voice.slope
    level *= 1 / (1 + (voice.low / np.maximum(frequencies, 1.0)) ** 4)
    level *= 1 / (1 + (frequencies / voice.high) ** 4)
    turns = np.exp(2j * math.pi * random.random(len(frequencies)))
    noise = np.fft.irfft(level * turns, count).astype(np.float32)
    even: Plane = noise / max(float(noise.std()), 1e-9)
    return even


def _swell(voice: Voice, count: int, random: np.random.Generator) -> Plane:
    """Slow rise and fall around the voice's period, never quite regular."""
    time = np.arange(count, dtype=np.float32) / RATE
    first, second = random.random(2) * math.tau
    wave = np.sin(time * (math.tau / voice.period) + first) * 0.7 + np.sin(time * (4.1 / voice.period) + second) * 0.3
    swell: Plane = (1 - voice.depth * (0.5 - 0.5 * wave)).astype(np.float32)
    return swell
