"""Puts the clock of a Python process wrong: by CLOCK_AHEAD seconds, from its first moment on."""

import os
import time

AHEAD = int(os.environ.get("CLOCK_AHEAD", "0"))
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + AHEAD
time.time_ns = lambda: _time_ns() + AHEAD * 1_000_000_000
