"""uvicorn with what it lacks: limits against slow and oversized requests, a way to cut, a drain before the end."""

from gateway.server.link import Link
from gateway.server.listening import AddressInUse, bind
from gateway.server.protocol import HttpProtocol
from gateway.server.running import Drainable, run
from gateway.server.supervisor import STARTUP_FAILURE, Supervisor

__all__ = ("STARTUP_FAILURE", "AddressInUse", "Drainable", "HttpProtocol", "Link", "Supervisor", "bind", "run")
