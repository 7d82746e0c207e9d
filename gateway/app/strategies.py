"""Whether the routes of the settings can be ordered: their strategies are known once the plugins are assembled."""

from gateway.runtime import Generation
from gateway.settings import Settings, SettingsError, locate, suggest


def refuse_unknown_strategies(settings: Settings, generation: Generation) -> None:
    """Raise `SettingsError` for every route of the settings whose strategy no enabled plugin provides."""
    known = ["ordered", *generation.strategies]
    problems = [
        f"{locate(('routes', name, 'strategy'), settings.origins).text}: "
        f"no enabled plugin provides the strategy '{route.strategy[:100]}'{suggest(route.strategy, known)}"
        for name, route in settings.routes.items()
        if route.enabled and route.strategy not in known
    ]
    if problems:
        raise SettingsError(problems)
