"""The models and routes of a history: for each dialect two models, one that comes and goes, and routes over them."""

import uuid
from collections.abc import Sequence

from chaos_plan import DIALECTS, SHAPE, Ask
from chaos_script import LIMITS
from fault_table import HEADER, KEY

from gateway.registry import NewModel, NewRoute
from gateway.registry.routes import StoredTarget
from gateway.secrets import Secret
from gateway.terms import Hedge, RouteOptions
from gateway.testing.upstream import ScriptedUpstream

CLOSED = "http://127.0.0.1:9/v1"
"""Nobody listens there."""


def id_of(name: str) -> str:
    """The id of a model or route."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def target_of(ask: Ask) -> str:
    """What the request names: an id, which every surface takes."""
    return id_of(f"{SHAPE[ask.shape].dialect}-{ask.target}")


def models_of(upstream: ScriptedUpstream) -> Sequence[NewModel]:
    """All models."""
    found = [_model(dialect, which, upstream) for dialect in DIALECTS for which in "abv"]
    return [*found, NewModel(id=id_of("dead"), name="dead", model_id="m", base_url=CLOSED, sharing="public")]


def routes_of(models: Sequence[NewModel]) -> Sequence[NewRoute]:
    """All routes."""
    routes = []
    for dialect in DIALECTS:
        a, b = id_of(f"{dialect}-a"), id_of(f"{dialect}-b")
        routes.append(_route(f"{dialect}-route", a, b))
        if dialect == "chat":
            routes.append(_route(f"{dialect}-failover", id_of("dead"), a, b))
            hedge = RouteOptions(hedge=Hedge(percentile=50.0, budget=0.5))
            routes.append(_route(f"{dialect}-hedged", a, b, options=hedge))
    return routes


def _route(name: str, *targets: str, options: RouteOptions | None = None) -> NewRoute:
    stored = [StoredTarget(target) for target in targets]
    return NewRoute(id=id_of(name), name=name, targets=stored, options=options or RouteOptions(), sharing="public")


def _model(dialect: str, which: str, upstream: ScriptedUpstream) -> NewModel:
    shape = next(shape for shape in SHAPE.values() if shape.dialect == dialect)
    name = f"{dialect}-{which}"
    base = f"{upstream.origin}/{name}/v1"
    return NewModel(
        id=id_of(name),
        name=name,
        model_id="m",
        base_url=base.removesuffix("/v1") if shape.provider == "anthropic" else base,
        provider=shape.provider,
        capabilities=shape.capabilities,
        api_key=Secret(f"{KEY}{name}"),
        headers={"x-canary": HEADER},
        timeouts=LIMITS,
        sharing="public",
    )
