"""The ids of answers as clients see them: they lead back, for those they were told to."""

import uuid

import pytest

from gateway import Principal
from gateway.pipeline.names import AnswerNames, Kept

MODEL = str(uuid.UUID(int=7))
KEPT = Kept(MODEL, "resp_67c9")
ADA, BOB = Principal(id="key-1", owner="ada"), Principal(id="key-2", owner="bob")
NAMES = AnswerNames(lambda: b"secret" * 4)


def test_a_name_leads_back_in_every_process_that_has_the_secret() -> None:
    name = NAMES.name(KEPT, ADA)
    assert name.startswith("resp_")
    assert AnswerNames(lambda: b"secret" * 4).read(name, ADA) == KEPT
    assert AnswerNames(lambda: b"another one, as long").read(name, ADA) is None


def test_a_name_leads_nowhere_for_anybody_else() -> None:
    name = NAMES.name(KEPT, ADA)
    assert NAMES.read(name, Principal(id="key-9", owner="ada")) == KEPT
    assert NAMES.read(name, BOB) is None
    ours = NAMES.name(KEPT, Principal(id="key-1"))
    assert NAMES.read(ours, Principal(id="key-1")) == KEPT
    assert NAMES.read(ours, Principal(id="key-2")) is None, "keys of the operator are handed to different people"
    assert NAMES.read(NAMES.name(KEPT, Principal(id="ada")), ADA) is None


@pytest.mark.parametrize("model", [MODEL, MODEL.upper(), "a model of a file", ""])
@pytest.mark.parametrize("id", ["resp_1", "chatcmpl-a.b:c/d=="])
def test_any_model_and_any_plain_id_can_be_named(model: str, id: str) -> None:
    assert NAMES.read(NAMES.name(Kept(model, id), ADA), ADA) == Kept(model, id)


@pytest.mark.parametrize("id", ['say "x"', "é", "", "a b", "x" * 513])
def test_an_id_that_json_would_write_otherwise_stays_as_it_is(id: str) -> None:
    assert NAMES.name(Kept(MODEL, id), ADA) == id


def test_no_other_name_is_read() -> None:
    name = NAMES.name(KEPT, ADA)
    for at in range(len(name)):
        for sign in "A_.":
            if name[at] != sign and (changed := name[:at] + sign + name[at + 1 :]) != name:
                assert NAMES.read(changed, ADA) is None, changed
        assert NAMES.read(name[:at], ADA) is None
    for text in ("", "resp_", "resp_67c9", "resp_.x", "resp_!!.x", "resp_AAAA.x", "resp_" + "A" * 40 + ".x"):
        assert NAMES.read(text, ADA) is None
