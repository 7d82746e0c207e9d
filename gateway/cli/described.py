"""What people say of a request that is not sent."""

from collections.abc import Sequence

from gateway.cli.endings import Wrong


def described_headers(headers: Sequence[str], tags: Sequence[str]) -> dict[str, str]:
    """The headers of `--header NAME=VALUE` and `--tag NAME`; refuses what no route may look at."""
    from gateway.terms import TAGS_HEADER, header_name

    found = {}
    for text in headers:
        name, equals, value = text.partition("=")
        if not equals:
            raise Wrong(f"--header takes NAME=VALUE, not {text[:50]!r}.")
        try:
            found[header_name(name)] = value
        except ValueError as error:
            raise Wrong(f"--header: {error}.") from error
    if tags:
        found[TAGS_HEADER] = ",".join((*filter(None, [found.get(TAGS_HEADER)]), *tags))
    return found
