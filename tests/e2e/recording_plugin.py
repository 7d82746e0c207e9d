"""A plugin with an object in every stage; each notes when it fires, in the file its settings name."""

import json
import os
from contextlib import asynccontextmanager

from gateway import OBSERVED, Principal, hookimpl

PATH = os.environ["RECORDING_FILE"]


def note(stage, **more):
    with open(PATH, "a") as file:
        file.write(json.dumps({"stage": stage, **more}) + "\n")


class Recorder:
    name = "recorded"
    wants = OBSERVED

    async def authenticate(self, credentials):
        note("authenticators")

    async def find(self, name, principal: Principal):
        note("model_lookups")

    async def acquire(self, exchange):
        note("limiters")

    async def settle(self, exchange):
        note("limiters.settle", outcome=exchange.outcome)

    async def transform(self, request, exchange):
        note("request_transforms")
        return request

    def map(self, error, attempt):
        note("error_mappers")

    async def write(self, records):
        for record in records:
            note("usage_sinks", outcome=record.outcome)


class Stream:
    def start(self, exchange):
        note("stream_transforms")
        return lambda events: events


class Observer:
    def start(self, exchange):
        note("stream_observers")
        return lambda events: note("stream_observers.told", events=[type(event).__name__ for event in events])

    def settled(self, exchange, records):
        note("stream_observers.settled", outcome=exchange.outcome, records=len(records))


@hookimpl
def register_authenticators():
    return [Recorder()]


@hookimpl
def register_model_lookups():
    return [Recorder()]


@hookimpl
def register_limiters():
    return [Recorder()]


@hookimpl
def register_request_transforms():
    return [Recorder()]


@hookimpl
def register_stream_transforms():
    return [Stream()]


@hookimpl
def register_stream_observers():
    return [Observer()]


@hookimpl
def register_error_mappers():
    return [Recorder()]


@hookimpl
def register_usage_sinks():
    return [Recorder()]


@hookimpl
def lifespan():
    @asynccontextmanager
    async def held():
        note("lifespan")
        yield
        note("lifespan.end")

    return held()
