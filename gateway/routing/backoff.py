"""How long to wait before another try at the same upstream."""

import random

BASE, CAP = 0.1, 2.0
"""Seconds: the first delay's upper bound, and the bound of them all."""

PATIENCE = 10.0
"""Seconds of `Retry-After` that are waited for; a longer one is passed on to the client."""


def delay_before(retry: int, retry_after: float | None) -> float | None:
    """Seconds to wait before retry number `retry` (1 is the first); None when waiting is not worth it.

    An upstream's own `Retry-After` is obeyed to the letter; else full jitter, so that clients do not return in step.
    """
    if retry_after is not None:
        return retry_after if retry_after <= PATIENCE else None
    return random.uniform(0, min(CAP, BASE * 2 ** (retry - 1)))
