"""Wrong: its error mapper shows clients what a library said."""

from gateway import Attempt, ErrorMapper, GatewayError, UpstreamFault, hookimpl


class Talkative:
    def map(self, error: Exception, attempt: Attempt | None) -> GatewayError | None:
        return UpstreamFault(str(error)) if isinstance(error, RuntimeError) else None


@hookimpl
def register_error_mappers() -> list[ErrorMapper]:
    return [Talkative()]
