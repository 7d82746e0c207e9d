"""The messages dialect as Claude's generations speak it: what one of them refuses is not sent to it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway import ChatRequest, Model, UpstreamDialect
from gateway.domain import Quirks
from gateway.wire.fields import bent, encoded, unsent
from gateway.wire.json import decode_value, encode_value
from gateway.wire.messages import Messages, request_fields
from gateway.wire.messages.generations import (
    ADAPTIVE_SINCE,
    BUDGETS,
    BUDGETS_UNTIL,
    LEAST_BUDGET,
    SAMPLING,
    SAMPLING_UNTIL,
    effort_of,
    generation,
)

_Fields = dict[str, msgspec.Raw]


class Claude(Messages):
    """Messages, with the quirks of the model's generation."""

    __slots__ = ()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send.

        Sampling that a generation refuses is left out. How to think is said in its words where the client spoke
        another dialect; one that speaks this dialect is taken at its word.
        """
        fields = request_fields(request, model)
        version = generation(model.model_id)
        if request.dialect != self.name:
            before, fields = fields, _thinking_as(version, fields)
            request.lose(name for name in before if name in SAMPLING and name not in fields)
        quirks = model.quirks
        if version is not None and version >= SAMPLING_UNTIL:
            quirks = Quirks(omit=quirks.omit | SAMPLING, rename=quirks.rename)
        request.lose(unsent(request, model, fields, quirks))
        return encoded(bent(fields, quirks))


CLAUDE: Final = Claude()


def _thinking_as(version: tuple[int, int] | None, fields: _Fields) -> _Fields:
    """The fields with `thinking` and the effort in the form that a generation takes."""
    thinking, config = _object(fields, "thinking"), _object(fields, "output_config")
    if not thinking:
        return fields
    if version is None or version < ADAPTIVE_SINCE:
        return _with_budget(fields, thinking, config)
    if version < BUDGETS_UNTIL:
        return fields
    kind, budget = thinking.get("type"), thinking.get("budget_tokens")
    if kind == "disabled":
        config = {**config, "effort": "low"}
        return _said(fields, thinking=None, output_config=config)
    if kind == "enabled" and isinstance(budget, int):
        config = {**config, "effort": config.get("effort") or effort_of(budget)}
    return _said(fields, thinking={"type": "adaptive"}, output_config=config)


def _with_budget(fields: _Fields, thinking: Mapping[str, Any], config: Mapping[str, Any]) -> _Fields:
    """A budget instead of an effort; it has to be smaller than the limit, and leaves no choice of temperature."""
    rest = {name: said for name, said in config.items() if name != "effort"}
    if thinking.get("type") == "disabled":
        return _said(fields, output_config=rest)
    budget = thinking.get("budget_tokens") or BUDGETS.get(str(config.get("effort")), BUDGETS["medium"])
    most = decode_value(fields["max_tokens"])
    if budget >= most:
        budget = most // 2
    if budget < LEAST_BUDGET:
        return _said(fields, thinking=None, output_config=rest)
    fields = {name: said for name, said in fields.items() if name not in SAMPLING}
    return _said(fields, thinking={"type": "enabled", "budget_tokens": budget}, output_config=rest)


def _said(fields: _Fields, **changes: Mapping[str, Any] | None) -> _Fields:
    out = {**fields, **{name: encode_value(said) for name, said in changes.items() if said}}
    for name in (name for name, said in changes.items() if not said):
        out.pop(name, None)
    return out


def _object(fields: _Fields, name: str) -> Mapping[str, Any]:
    value = decode_value(fields[name]) if name in fields else None
    return value if isinstance(value, dict) else {}


if TYPE_CHECKING:
    _: type[UpstreamDialect] = Claude
