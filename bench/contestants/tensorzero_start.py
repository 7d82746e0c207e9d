"""Runs in TensorZero's own environment: starts the gateway that its wheel holds, prints where it listens."""

import sys
import threading

from tensorzero.tensorzero import _start_http_gateway  # type: ignore[import-not-found]

gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
print(f"Listening on {gateway.base_url}", flush=True)
threading.Event().wait()
