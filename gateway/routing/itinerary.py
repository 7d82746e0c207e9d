"""Where an exchange goes after an attempt has failed, and when."""

from collections.abc import Sequence
from typing import Final

from gateway.domain import Model, Reason
from gateway.errors import GatewayError, StaleConnection
from gateway.routing.ailment import may_go_elsewhere
from gateway.routing.backoff import delay_before
from gateway.routing.budget import RetryBudgets
from gateway.routing.health import Health

TRIES: Final = 3
"""Attempts of one exchange, failovers, retries and a hedge together."""


class Itinerary:
    """One exchange's way over its targets, told of each attempt that failed.

    A target that is well and shares no credential with one that failed is asked like any other, whatever the budget
    says: it would be asked first as soon as health has noticed. Everything else is a retry and is paid for.
    """

    __slots__ = ("_budgets", "_health", "_left", "_tried", "_tries", "model", "reason")

    def __init__(self, targets: Sequence[Model], health: Health, budgets: RetryBudgets) -> None:
        self._health = health
        self._budgets = budgets
        self._left = list(targets)
        self._tried: set[bytes] = set()
        self._tries = 0
        self.reason: Reason = "first"
        self._go(targets[0])

    model: Model
    """Who is asked next, or was asked last."""

    def after(self, error: GatewayError) -> float | None:
        """Seconds to wait before `model` is asked, which may have changed; None = give up."""
        if self._tries >= TRIES:
            return None
        if isinstance(error, StaleConnection) and self._again():
            return 0.0
        if may_go_elsewhere(error) and self._elsewhere():
            return 0.0
        wait = delay_before(self._tries, error.retry_after) if error.retryable else None
        return wait if wait is not None and self._again() else None

    def spare(self) -> Model | None:
        """Another target that is well, to be asked beside `model`."""
        return next((one for one in self._left if not self._health.cooling(one)), None)

    def beside(self, model: Model) -> None:
        """It is asked, too."""
        self._budgets.request(model.tenant)
        self._go(model)

    def _again(self) -> bool:
        if not self._budgets.withdraw(self.model.tenant):
            return False
        self._tries += 1
        self.reason = "retry"
        return True

    def _elsewhere(self) -> bool:
        for model in self._health.order(self._health.free(self._left)):
            if model.tenant not in self._tried and not self._health.cooling(model):
                self._budgets.request(model.tenant)
            elif not self._budgets.withdraw(model.tenant):
                continue
            self._go(model)
            self.reason = "failover"
            return True
        return False

    def _go(self, model: Model) -> None:
        self.model = model
        self._left.remove(model)
        self._tried.add(model.tenant)
        self._tries += 1
