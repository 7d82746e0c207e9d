"""Wrong: its error mapper fails on what it does not know."""

from gateway import Attempt, ErrorMapper, GatewayError, UpstreamError, hookimpl


class Careless:
    def map(self, error: Exception, attempt: Attempt | None) -> GatewayError | None:
        status = int(error.response.status_code)  # every exception has one, surely
        return UpstreamError(status)


@hookimpl
def register_error_mappers() -> list[ErrorMapper]:
    return [Careless()]
