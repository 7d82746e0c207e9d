"""Wrong: it prints, sets a variable and uses private parts of the gateway when it is imported."""

import os

from gateway import Provider, hookimpl
from gateway.pipeline import Pipeline

os.environ["WRONG_PLUGIN"] = "was here"
print("wrong plugin ready:", Pipeline.__name__)


@hookimpl
def register_providers() -> list[Provider]:
    return []
