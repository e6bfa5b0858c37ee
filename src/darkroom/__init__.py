"""Darkroom: a self-hosted server for asynchronous image and video generation tasks."""

__version__ = "0.1.0"
