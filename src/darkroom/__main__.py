"""`python -m darkroom`."""

from .cli import main

main()
