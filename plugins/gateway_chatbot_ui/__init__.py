"""The Chatbot UI custom route: POST /api/chat/custom."""

from typing import Any

from gateway import Gateway, hookimpl
from gateway_chatbot_ui.route import check_openness, custom_route
from gateway_chatbot_ui.settings import Settings as Settings


@hookimpl
def on_app_init(app_config: Any, gateway: Gateway) -> None:
    check_openness(gateway.settings, gateway.serving.host)
    app_config.route_handlers.append(custom_route(gateway, gateway.settings))
