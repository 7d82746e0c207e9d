"""`GET /metrics` for keys of the scope `admin`."""

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

if TYPE_CHECKING:
    from gateway_metrics.metrics import Metrics


def metrics_route(metrics: "Metrics") -> HTTPRouteHandler:
    """The route's handler."""

    @get(metrics.settings.path, opt={"scope": "admin"})
    async def show(request: Request[Any, Any, Any]) -> Response[bytes]:
        content_type, text = await metrics.text(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    return show
