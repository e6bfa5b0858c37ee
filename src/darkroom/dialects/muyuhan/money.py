"""Credits as the vendor's apps see them: two purses, and the price of each kind of work."""

from __future__ import annotations

from ...core.catalog import Model
from ...core.commands import Account
from ...core.task import Operation


def purses(account: Account) -> tuple[int, int]:
    """Paid and free credits that can be spent."""
    return account.paid, account.free


def price(models: tuple[Model, ...], operation: Operation, name: str | None = None) -> int:
    """Credits for one result, by the model of this name or the first that offers the work; 0 where none does."""
    offered = [model for model in models if operation in model.operations]
    named = [model for model in offered if model.name == name]
    return next((model.price for model in named or offered), 0)
