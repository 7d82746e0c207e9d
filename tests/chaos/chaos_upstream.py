"""The upstream of all models: plays what the plan says for a request, and keeps what it saw."""

import re
from collections.abc import Callable

from chaos_history import Asked
from chaos_plan import Ask
from chaos_script import behaviour

from gateway.testing.upstream import Behaviour, ScriptedUpstream, Seen

_TAG = re.compile(rb"chaos-\d+-\d+")


class ChaosUpstream(ScriptedUpstream):
    """Finds a request's tag in its body; `plan` knows the tag."""

    def __init__(self, plan: Callable[[str], Ask], canary: int) -> None:
        super().__init__()
        self._plan = plan
        self._canary = canary
        self._log: list[tuple[Asked, Seen, int]] = []
        self._steps: dict[str, int] = {}

    def choose(self, name: str, seen: Seen) -> Behaviour | None:
        """What the plan says for this tag and attempt."""
        self.seen(name).clear()  # they are kept here
        found = _TAG.search(seen.request.body)
        if found is None:
            return None
        tag = found[0].decode()
        step = self._steps.get(tag, 0)
        self._steps[tag] = step + 1
        played = behaviour(self._plan(tag), step, name, self._canary)
        self._log.append((Asked(tag=tag, model=name, step=step, at=seen.request.at), seen, len(played.writes)))
        return played

    @property
    def busy(self) -> int:
        """How many connections are open in the middle of an answer."""
        return sum(not seen.over for _, seen, _ in self._log)

    def asked(self) -> list[Asked]:
        """All requests, with what has become of them."""
        for asked, seen, writes in self._log:
            asked.over = seen.writes == writes
            asked.held = not seen.over
        return [asked for asked, _, _ in self._log]
