"""What models and routes of the settings need of plugins: known once these are assembled."""

from gateway.runtime import Generation
from gateway.settings import Settings, SettingsError, locate, suggest


def unprovided(settings: Settings, generation: Generation) -> list[str]:
    """A sentence for every enabled model whose provider, and route whose strategy, no enabled plugin provides."""
    providers, strategies = list(generation.providers), ["ordered", *generation.strategies]
    needs = [
        *(
            (("models", name, "provider"), model.provider, providers)
            for name, model in settings.models.items()
            if model.enabled
        ),
        *(
            (("routes", name, "strategy"), route.strategy, strategies)
            for name, route in settings.routes.items()
            if route.enabled
        ),
    ]
    return [
        f"{locate(path, settings.origins).text}: "
        f"no enabled plugin provides the {path[-1]} '{word[:100]}'{suggest(word, known)}"
        for path, word, known in needs
        if word not in known
    ]


def refuse_unprovided(settings: Settings, generation: Generation) -> None:
    """Raise `SettingsError` with all of them at once."""
    if problems := unprovided(settings, generation):
        raise SettingsError(problems)
