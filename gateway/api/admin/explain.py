"""`/admin/explain`: the way of one request through the pipeline, without sending it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler

from gateway import protocols
from gateway.api.admin.body import read_body
from gateway.pipeline import Explanation, Question

Explain: TypeAlias = Callable[[protocols.Scope, Question], Awaitable[Explanation]]


def explain_handler(explain: Explain) -> HTTPRouteHandler:
    """The handler of the resource."""

    @post("/explain", status_code=200)
    async def answer(request: Request[Any, Any, Any]) -> Explanation:
        question = await read_body(request, Question)
        return await explain(cast("protocols.Scope", request.scope), question)

    return answer
