"""What the server asks before it makes anything of a request: whether there is room for one more exchange."""

from collections.abc import Callable
from functools import lru_cache

from gateway.api import Refusal, refusal
from gateway.app.surfaces import Assembled
from gateway.pipeline import Pipeline


class Entrance:
    """Admission, in the words of the surface at a path."""

    def __init__(self, pipeline: Pipeline, serving: Callable[[], Assembled]) -> None:
        self._pipeline = pipeline
        self._serving = serving
        self.is_full = pipeline.is_full
        """Exchanges are refused now, at whatever path."""

    def refusal(self, path: str) -> Refusal | None:
        """The refusal of an exchange at this path while there is no room for one more; None = let it come."""
        if path not in self._serving().exchanges or (full := self._pipeline.turning_away()) is None:
            return None
        return _worded(path, full.status, full.message)

    def admit(self, path: str) -> Refusal | bool:
        """The refusal, or whether an exchange was let in that has a place from now on; its scope has to say so, then.

        The server reads many requests before the first of them begins: without this all would find room for one.
        """
        if path not in self._serving().exchanges:
            return False
        if (full := self._pipeline.turning_away()) is None:
            self._pipeline.admission.expect()
            return True
        return _worded(path, full.status, full.message)


_worded = lru_cache(maxsize=64)(refusal)
