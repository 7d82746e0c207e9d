"""All resources of the control plane behind one guard."""

from litestar import Router

from gateway.api.admin.control import Control
from gateway.api.admin.explain import Explain, explain_handler
from gateway.api.admin.generations import generation_handlers
from gateway.api.admin.guard import SCOPE, AdminGuard
from gateway.api.admin.health import Condition, health_handler
from gateway.api.admin.plugins import plugin_handlers


def admin_router(control: Control, explain: Explain, condition: Condition, guard: AdminGuard) -> Router:
    """The router of `/admin`."""
    handlers = [*plugin_handlers(control), *generation_handlers(control), explain_handler(explain)]
    handlers.append(health_handler(control, condition))
    return Router("/admin", route_handlers=handlers, guards=[guard], opt={"scope": SCOPE})
