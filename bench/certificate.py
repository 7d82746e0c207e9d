"""A certificate for 127.0.0.1, for the upstream behind TLS."""

from pathlib import Path

from gateway.testing.authority import Authority

_LABEL = "upstream"


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """The file of an authority, and that of a certificate it signed, with its key."""
    authority = Authority(folder)
    authority.server(_LABEL, "127.0.0.1")
    return authority.path, folder / f"{_LABEL}.pem"
