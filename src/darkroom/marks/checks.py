"""Tries at the start what marks of provenance need later: the label's font, the key and the certificates.

`problems` runs in a child process (`Child("darkroom.marks.checks:problems")`): what it loads is native code.
"""

from __future__ import annotations

from ..engines._child import Report
from . import Provenance, credentials, label


def problems(provenance: Provenance, _: Report) -> list[str]:
    """What is wrong, by the names of the settings."""
    found = []
    if provenance.label:
        found += problems_of_label(provenance.label)
    if provenance.credentials:
        try:
            credentials.check(provenance.credentials)
        except credentials.SigningError as error:
            found.append(str(error))
    return found


def problems_of_label(wanted: label.Label) -> list[str]:
    """Why a label cannot be drawn."""
    try:
        lacking = label.lacking(wanted)
    except OSError as error:
        return [f"label_font: cannot read {wanted.font} as a font: {error.strerror or error}"]
    if not lacking:
        return []
    hint = "choose another label_font" if wanted.font else "set label_font to the file of a font that has it"
    return [f"label: the font lacks {lacking!r}: {hint}"]
