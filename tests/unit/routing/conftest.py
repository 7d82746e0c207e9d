"""A clock that a test turns, and health that goes by it."""

import pytest
from ward import Clock, Ward


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ward():
    return Ward()
