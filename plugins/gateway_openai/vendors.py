"""The table of those who speak OpenAI's API (`vendors.toml`)."""

from importlib import resources

from gateway.providers.vendors import Vendors


def read_vendors() -> Vendors:
    """The table, by the name of the provider."""
    return Vendors.read(resources.files("gateway_openai").joinpath("vendors.toml").read_text("utf-8"))
