"""Wrong: its error mapper ends the process."""

import os

from gateway import Attempt, ErrorMapper, GatewayError, hookimpl


class Deadly:
    def map(self, error: Exception, attempt: Attempt | None) -> GatewayError | None:
        os._exit(3)


@hookimpl
def register_error_mappers() -> list[ErrorMapper]:
    return [Deadly()]
