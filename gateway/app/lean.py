"""Litestar for routes that are all the gateway's own."""

from litestar import Litestar
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin


class Lean(Litestar):
    """Without the plugins for pydantic's and attrs' models, which no route of the gateway takes or answers.

    Litestar adds them to every application, and with them `pydantic.v1`: 2 MiB, and 4 % of a start. It has no
    public way to leave them out. Should this one be gone, they are loaded again, and `test_start_imports.py` tells.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]
