"""Carries out on one result file what the operator wants of all: the mark, China's field, the signature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from . import Mark, Provenance, SignedError, SigningError, SourceType, aigc, mark, sign

UNSIGNED = "The result carries no signed content credentials: the server could not sign it."
MADE = frozenset({SourceType.GENERATED, SourceType.GENERATED_WITHOUT_AI})


@dataclass(frozen=True, slots=True)
class Told:
    """What could not be told: warnings for the caller, and why there is no signature, for the operator."""

    warnings: tuple[str, ...] = ()
    unsigned: str | None = None


def numbered(facts: Mark, provenance: Provenance, number: int) -> Mark:
    """What is told of one of a task's results, the `number`-th from 1."""
    if not provenance.producer:
        return facts
    return replace(facts, aigc=aigc.field(provenance.producer, f"{facts.task_id}-{number}"))


def tell(path: Path, media_type: str, facts: Mark, provenance: Provenance) -> Told:
    """Mark a result, and sign it. Nothing that fails loses it, but for `OSError`."""
    warnings = []
    try:
        mark(path, media_type, facts)
    except ValueError as error:
        warnings.append(f"The result carries no provenance mark: {error}.")
        if isinstance(error, SignedError):
            return Told(tuple(warnings))
    if provenance.credentials is None:
        return Told(tuple(warnings))
    try:
        sign(path, media_type, facts, provenance.credentials, altered=facts.digital_source_type not in MADE)
    except SigningError as error:
        return Told((*warnings, UNSIGNED), str(error))
    return Told(tuple(warnings))
