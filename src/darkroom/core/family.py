"""Parents and children: what a parent task shows, computed from its parts."""

from __future__ import annotations

from dataclasses import replace

from .task import State, Task


def combined_state(states: list[State]) -> State:
    """State of a parent: waiting until a part starts, done when all are; one good part makes it a success."""
    if not all(state.final for state in states):
        return State.QUEUED if all(state is State.QUEUED for state in states) else State.RUNNING
    for outcome in (State.SUCCEEDED, State.FAILED):
        if outcome in states:
            return outcome
    return State.CANCELED


def combine(parent: Task, children: tuple[Task, ...]) -> Task:
    """The parent as its caller sees it: results joined in the order of the children, the first failure, the sums."""
    if not children:
        return parent  # they were deleted between two reads
    state = combined_state([child.state for child in children])
    lost = [child for child in children if child.state in (State.FAILED, State.CANCELED)]
    warnings = [warning for child in children for warning in child.warnings]
    if state is State.SUCCEEDED and lost:
        warnings.append(f"{len(lost)} of {len(children)} parts did not succeed.")
    started = [child.started_at for child in children if child.started_at is not None]
    finished = [child.finished_at for child in children if child.finished_at is not None]
    return replace(
        parent,
        children=children,
        state=state,
        progress=sum(child.progress for child in children) // len(children),
        stage=next((child.stage for child in children if child.stage), ""),
        attempt=max(child.attempt for child in children),
        artifacts=tuple(artifact for child in children for artifact in child.artifacts),
        failure=next((child.failure for child in lost if child.state is state), None),
        warnings=tuple(dict.fromkeys((*parent.warnings, *warnings))),
        price=sum(child.price for child in children),
        cost=sum(child.cost for child in children),
        started_at=min(started, default=None),
        finished_at=max(finished, default=None) if state.final else None,
        version=parent.version + sum(child.version for child in children),
    )


def as_family(tasks: tuple[Task, ...]) -> Task:
    """One task, or a parent and then its parts, as a reader would find them."""
    first, *parts = tasks
    return combine(first, tuple(parts)) if parts else first
