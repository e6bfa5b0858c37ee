"""Credits as the vendor's apps see them: two purses, and the price of each kind of work.

An account has one purse here. All of it is shown as free credits where a login opened the account, and as paid ones
where an operator did.
"""

from __future__ import annotations

from ...core.catalog import Model
from ...core.commands import Account
from ...core.task import Operation

DEVICE = "device-"  # how the ids of accounts begin that a login opened


def purses(account: Account) -> tuple[int, int]:
    """Paid and free credits that can be spent."""
    if account.id.startswith(DEVICE):
        return 0, account.available
    return account.available, 0


def price(models: tuple[Model, ...], operation: Operation, name: str | None = None) -> int:
    """Credits for one result, by the model of this name or the first that offers the work; 0 where none does."""
    offered = [model for model in models if operation in model.operations]
    named = [model for model in offered if model.name == name]
    return next((model.price for model in named or offered), 0)
