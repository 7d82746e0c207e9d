"""Binding the address before anything is started."""

import errno
import socket

BACKLOG = 2048


class AddressInUse(Exception):
    """Somebody listens there already, or the address is not ours; the message is for the user."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on that address, shared by all workers; port 0 takes a free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise AddressInUse(f"Cannot listen on {host}: {error.strerror}.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)  # who connects while the gateway starts waits instead of being refused
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            text = f"Port {port} on {host} is in use. Stop what listens there or choose another with --port."
        else:
            text = f"Cannot listen on {host} port {port}: {error.strerror}."
        raise AddressInUse(text) from error
    listener.set_inheritable(True)
    return listener
