"""What the gateway's conformance kit has to know."""

CONFORMANCE = {"dialect": "chat"}
