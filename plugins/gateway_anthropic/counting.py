"""`count_tokens`: a messages request that is counted and not answered."""

from types import MappingProxyType
from typing import Final

import msgspec

from gateway import ChatRequest, Model
from gateway.wire.fields import encoded, written
from gateway.wire.messages import without_foreign_proofs
from gateway.wire.plain import Plain


class CountTokens(Plain):
    """The request as it came: defaults of the model would be refused here, and thinking of other makers as ever."""

    __slots__ = ()

    name = "count_tokens"

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        plain = msgspec.structs.replace(model, parameters=MappingProxyType({}))
        return encoded(without_foreign_proofs(written(request.fields, plain, keeps_model=request.keeps_model)))


COUNT_TOKENS: Final = CountTokens()
