"""The log's lines: one each, known fields only, nothing secret."""

import logging

import pytest

from gateway.app.log import FieldLogger, LineFormatter


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.handler.setFormatter(LineFormatter())
    caplog.set_level(logging.DEBUG, "gateway")
    return caplog


def test_fields_are_written_as_key_and_value(lines: pytest.LogCaptureFixture) -> None:
    FieldLogger("gateway.plugins.acme", plugin="acme").warning("lookup_failed", status=502, reason="not there")
    assert 'warning gateway.plugins.acme lookup_failed plugin=acme status=502 reason="not there"' in lines.text


def test_a_field_nobody_allowed_is_withheld_by_name(lines: pytest.LogCaptureFixture) -> None:
    FieldLogger("gateway.x").error("odd", prompt="my private words", status=1)
    assert "private" not in lines.text
    assert "withheld=prompt" in lines.text


def test_a_record_is_one_line_whatever_is_in_it(lines: pytest.LogCaptureFixture) -> None:
    FieldLogger("gateway.x").error("forged\nline", reason="a\r\nb\x1b[2J")
    assert len(lines.text.splitlines()) == 1
    assert "\x1b" not in lines.text


def test_the_shape_of_a_key_is_masked(lines: pytest.LogCaptureFixture) -> None:
    FieldLogger("gateway.x").error("refused", error="Incorrect API key: sk-abcdef1234567890")
    assert "abcdef1234567890" not in lines.text


def test_an_exception_is_told_by_type_and_place_on_the_same_line(lines: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("sk-abcdef1234567890 was wrong")
    except ValueError as error:
        logging.getLogger("gateway.x").error("failed", exc_info=error)
    assert len(lines.text.splitlines()) == 1
    assert "exception=ValueError at=test_line_log.py:" in lines.text
    assert "abcdef1234567890" not in lines.text
