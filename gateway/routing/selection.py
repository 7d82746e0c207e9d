"""Which of a route's targets may take a request at all, before a strategy orders them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.domain import Exchange, Model, Route
from gateway.requests import ChatRequest
from gateway.size import Size
from gateway.terms import TAGS_HEADER, Condition


class Selection(NamedTuple):
    """What is left of a route for one request."""

    groups: Sequence[tuple[Model, ...]]
    """Targets of one priority together, those to be tried first in front; empty when none may take it."""
    excluded: Mapping[str, str]
    """Why not, by the model's id."""


def select(route: Route, request: ChatRequest, exchange: Exchange) -> Selection:
    """The targets that may take this request.

    Conditions come first, then the size: who is too small for it is left out, unless all are; then only the largest
    stay. A route of one is never asked twice: its only target is the answer.
    """
    targets = route.targets
    if route.is_model or (len(targets) == 1 and not route.terms_of(targets[0]).when):
        return Selection((targets,), {})
    facts = Facts(request, exchange)
    excluded: dict[str, str] = {}
    for model in targets:
        failing = next((one for one in route.terms_of(model).when if not facts.meet(one)), None)
        if failing is not None:
            excluded[model.id] = f"the condition {failing} does not hold"
    left = [model for model in targets if model.id not in excluded]
    if len(left) > 1:
        too_small = _too_small(left, facts.size)
        excluded |= too_small
        left = [model for model in left if model.id not in too_small]
    return Selection(_grouped(route, left), excluded)


class Facts:
    """What conditions ask about a request, each found out once and only if asked."""

    def __init__(self, request: ChatRequest, exchange: Exchange) -> None:
        self._request = request
        self._exchange = exchange
        self._tags: frozenset[str] | None = None
        self.size = Size(request)

    def meet(self, condition: Condition) -> bool:
        """Whether the condition holds."""
        match condition.kind:
            case "tag":
                return condition.name in self.tags
            case "key":
                caller = self._exchange.principal
                return caller is not None and condition.name in (caller.id, caller.name)
            case "header":
                value = self._exchange.header(condition.name)
                return value is not None and condition.value in (None, value)
            case "shorter":
                return self.size.tokens < condition.tokens
            case "longer":
                return self.size.tokens >= condition.tokens

    @property
    def tags(self) -> frozenset[str]:
        """The request's tags, of its header and of its metadata."""
        if self._tags is None:
            header = self._exchange.header(TAGS_HEADER) or ""
            self._tags = frozenset(_named((*header.split(","), *_metadata_tags(self._request))))
        return self._tags


def _metadata_tags(request: ChatRequest) -> Sequence[str]:
    """`metadata.tags`: a list, or one text with commas, which is all that OpenAI's own metadata may hold."""
    try:
        metadata: Any = msgspec.json.decode(request.fields["metadata"])
    except (KeyError, msgspec.DecodeError):
        return ()
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    if isinstance(tags, str):
        return tags.split(",")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else ()


def _named(tags: Iterable[str]) -> Iterable[str]:
    return (tag.strip() for tag in tags if tag.strip())


def _too_small(models: Sequence[Model], size: Size) -> dict[str, str]:
    small = [model for model in models if not size.fits(model)]
    if len(small) == len(models):
        largest = max(model.context_length or 0 for model in models)
        small = [model for model in models if (model.context_length or 0) < largest]
    return {
        model.id: f"about {size.tokens + size.output(model)} tokens are asked for, it takes {model.context_length}"
        for model in small
    }


def _grouped(route: Route, models: Sequence[Model]) -> list[tuple[Model, ...]]:
    groups: dict[int, list[Model]] = {}
    for model in models:
        groups.setdefault(route.terms_of(model).priority, []).append(model)
    return [tuple(groups[priority]) for priority in sorted(groups)]
