"""`gateway import`: moving in from another system."""

import click

from gateway.cli.lazy import Lazy, LazyGroup

_COMMANDS = {
    "chatbot-ui": Lazy("gateway.cli.importing.chatbot_ui:chatbot_ui", "Take over the models of a Chatbot UI."),
    "litellm": Lazy(
        "gateway.cli.importing.litellm.command:litellm", "Take over the models of a LiteLLM configuration."
    ),
}


@click.group(name="import", cls=LazyGroup, lazy=_COMMANDS, announced=False)
def group() -> None:
    """Move in from another system."""
