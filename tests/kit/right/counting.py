"""Right: a sink that counts, with a check of its own settings."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, SecretStr

from gateway import Gateway, UsageRecord, UsageSink, hookimpl


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = SecretStr("")

    async def check(self) -> None:
        if not self.token.get_secret_value():
            raise ValueError("token is not set")


class Counting:
    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def write(self, records: Sequence[UsageRecord]) -> None:
        self.seen.update(record.attempt_id for record in records)


@hookimpl
def register_usage_sinks(gateway: Gateway) -> list[UsageSink]:
    return [Counting()]
