"""What is around the gateway: Python, certificates, proxies, the network, the port."""

import asyncio
import platform
import re
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from gateway.cli.address import own_url
from gateway.cli.doctor.finding import Finding, command, failed, ok, warning
from gateway.settings import Settings

_OURS = "litestar-gateway"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_INSTALL = {"alpine": "apk add ca-certificates", "fedora": "dnf install -y ca-certificates"}


def python() -> Iterator[Finding]:
    """Whether this Python has everything that the gateway's code imports."""
    try:
        wanted = metadata.requires(_OURS) or []
    except metadata.PackageNotFoundError:
        yield failed("python", f"{_OURS} is not installed in {sys.prefix}: no plugin is found.", f"pip install {_OURS}")
        return
    names = [match[0] for one in wanted if "extra ==" not in one and (match := _NAME.match(one))]
    if missing := [name for name in names if not _installed(name)]:
        told = f"{', '.join(missing)} is missing in {sys.prefix}."
        yield failed("python", told, command(sys.executable, "-m", "pip", "install", *missing))
    else:
        yield ok("python", f"Python {platform.python_version()} in {sys.prefix}")


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def certificates(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether there is anything to check an upstream's certificate with."""
    paths = ssl.get_default_verify_paths()
    if ssl.create_default_context().cert_store_stats()["x509_ca"] or _has_certificates(paths.capath):
        yield ok("certificates", f"trusted: {paths.cafile or paths.capath or 'the system store'}")
        return
    variables = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name)]
    if variables:
        told = " and ".join(variables)
        yield failed("certificates", f"There is no certificate where {told} points.", command("unset", *variables))
    else:
        install = _INSTALL.get(_distribution(), "apt-get install -y ca-certificates")
        yield failed("certificates", "No certificate authority is installed: https has nothing to check by.", install)


def _has_certificates(directory: str | None) -> bool:
    return directory is not None and any(Path(directory).glob("*.0"))


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("ID", "")
    except OSError:
        return ""


def proxies(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether somebody believes that the gateway goes through a proxy."""
    found = [name for proxy in _PROXIES for name in (proxy, proxy.lower()) if environ.get(name)]
    if found:
        told = f"{', '.join(found)}: the gateway never uses a proxy, upstreams are dialled directly."
        yield warning("proxies", told, command("unset", *found))
    else:
        yield ok("proxies", "no proxy variable is set")


def egress(settings: Settings) -> Iterator[Finding]:
    """Whether a denied address is refused."""
    from gateway.egress import EgressPolicy, SelfTestFailed, self_test

    try:
        asyncio.run(self_test(EgressPolicy(allow=settings.egress.allow)))
    except SelfTestFailed as error:
        yield failed("egress", str(error), "pip install --force-reinstall litestar-gateway")
    except OSError as error:
        yield failed("egress", f"This machine cannot talk to itself: {error.strerror}.", "ip link set lo up")
    else:
        yield ok("egress", f"a denied address is refused; allowed: {', '.join(settings.egress.allow) or 'public ones'}")


def port(settings: Settings) -> Iterator[Finding]:
    """Whether the gateway can listen, or does already."""
    from gateway.server.listening import AddressInUse, bind

    place = f"{settings.host} port {settings.port}"
    try:
        bind(settings.host, settings.port).close()
    except AddressInUse as error:
        if _answers(settings):
            yield ok("port", f"a gateway answers at {place}")
        else:
            yield failed("port", str(error), _elsewhere(settings))
    else:
        yield ok("port", f"{place} is free")


def _answers(settings: Settings) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{own_url(settings)}/health/live", timeout=3) as answer:
            return bool(answer.status == 200 and answer.read(16) == b"ok")
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _elsewhere(settings: Settings) -> str:
    """The command that moves the gateway to where it can listen."""
    for host in (settings.host, "127.0.0.1"):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family) as probe:
                probe.bind((host, 0))
                free = probe.getsockname()[1]
        except OSError:
            continue
        moved = [f"GATEWAY_HOST={host}"] if host != settings.host else []
        return command("export", *moved, f"GATEWAY_PORT={free}")
    return ""
