"""Builds the application: settings in, one ASGI application out."""

from gateway.app.application import Application, create

__all__ = ("Application", "create")
