"""The names of models that the vendor's clients send. Each means the default model of what is asked for."""

from __future__ import annotations

DEFAULT_IMAGE_MODEL = "gpt-image-2"
DEFAULT_CLIP_MODEL = "grok-imagine-video"
DEFAULT_VIDEO_MODEL = "minimax-h3"

IMAGE_MODELS = (DEFAULT_IMAGE_MODEL, "nano-banana-pro", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst")
VIDEO_MODELS = (
    *(DEFAULT_CLIP_MODEL, DEFAULT_VIDEO_MODEL),
    *("seedance 2.0", "seedance 2.5", "seedance2.0-A", "seedance2.5-A"),
)
