"""Upstream errors in the operator's own words.

[plugins.friendly_errors]
enabled = true

[plugins.friendly_errors.messages]
429 = "The model is busy. Please try again in a minute."
401 = "This model's key no longer works. Please tell the help desk."
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from gateway import Attempt, ErrorMapper, Gateway, GatewayError, UpstreamFault, hookimpl


class Settings(BaseModel):
    """The table `[plugins.friendly_errors]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: dict[int, str] = {}
    """What clients read instead of the upstream's own text, by status."""


class FriendlyError(UpstreamFault):
    """An upstream's status with our text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, status=status)
        self.retryable = status in (408, 409, 429) or status >= 500


class FriendlyMapper:
    """Replaces the text of those statuses and leaves all else to the next mapper."""

    def __init__(self, messages: Mapping[int, str]) -> None:
        self._messages = messages

    def map(self, error: Exception, attempt: Attempt | None) -> FriendlyError | None:
        """Our error, None for a status without a text of ours."""
        # A provider may raise the gateway's own errors or, as `openai` does, those of its SDK.
        status = error.status if isinstance(error, GatewayError) else getattr(error, "status_code", None)
        if not isinstance(status, int) or status not in self._messages:
            return None
        return FriendlyError(status, self._messages[status])


@hookimpl
def register_error_mappers(gateway: Gateway) -> list[ErrorMapper]:
    settings: Settings = gateway.settings
    return [FriendlyMapper(settings.messages)]
