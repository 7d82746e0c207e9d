"""`/admin/*`: the control plane. Every route needs a key of the scope `admin`; one file for each resource."""

from gateway.api.admin.control import Control, Draining, WorkerStatus
from gateway.api.admin.guard import AdminGuard, admin_guard
from gateway.api.admin.health import Condition
from gateway.api.admin.router import admin_router

__all__ = ("AdminGuard", "Condition", "Control", "Draining", "WorkerStatus", "admin_guard", "admin_router")
