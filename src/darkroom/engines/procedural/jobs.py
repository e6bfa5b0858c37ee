"""What the child process runs: a job for a picture or for a video."""

from __future__ import annotations

from ...core.task import Operation
from .. import Job, Output
from .._child import Report
from . import video, work


def run(job: Job, report: Report) -> list[Output]:
    """Do one job; raises `TaskError` for everything that its caller can change."""
    return video.run(job, report) if job.operation == Operation.VIDEO_GENERATE else work.run(job, report)
