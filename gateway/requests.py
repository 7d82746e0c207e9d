"""What a client asked for: every top-level field exactly as it was sent."""

from collections.abc import Mapping

import msgspec


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One chat request, immutable; `fields` hold the bytes of each top-level value, in the order sent."""

    dialect: str
    """Name of the dialect `fields` are written in, such as `chat`."""
    model: str
    """The name the model lookups are asked for."""
    malformed_id: str = ""
    """Not empty when `model` has to be an id and is none: what the client is told where no lookup has its own words."""
    stream: bool
    fields: Mapping[str, msgspec.Raw]
    keeps_model: bool = False
    """True when the client names the upstream's model itself: a route of one then leaves `fields["model"]` alone."""
    choices: int = 1
    """How many choices were asked for (`n`)."""

    def with_fields(self, **changes: msgspec.Raw | None) -> "ChatRequest":
        """A copy with these fields replaced or added; None removes one."""
        fields = {**self.fields, **{k: v for k, v in changes.items() if v is not None}}
        for name, value in changes.items():
            if value is None:
                fields.pop(name, None)
        return msgspec.structs.replace(self, fields=fields)

    def with_keeps_model(self, keeps: bool) -> "ChatRequest":
        """A copy whose `fields["model"]` is kept or replaced."""
        return msgspec.structs.replace(self, keeps_model=keeps)
