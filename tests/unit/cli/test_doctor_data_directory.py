"""`gateway doctor` on data directories that cannot be: what is not the gateway's is left as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from doctor_patient import Environ, Patient


def a_file(here: Path, environ: Environ) -> None:
    (here / "data").write_text("")


def below_a_file(here: Path, environ: Environ) -> None:
    (here / "somebody-s").write_text("")
    environ["GATEWAY_DATA_DIR"] = str(here / "somebody-s" / "x" / "y")


def where_nothing_can_be_made(here: Path, environ: Environ) -> None:
    environ["GATEWAY_DATA_DIR"] = "/proc/x"


def where_nobody_may_look(here: Path, environ: Environ) -> None:
    environ["GATEWAY_DATA_DIR"] = str(here / ("x" * 300))


def a_directory_of_somebody_else(here: Path, environ: Environ) -> None:
    (here / "data").mkdir()
    (here / "data").chmod(0o777)
    (here / "data" / "somebody-s").write_text("")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (a_file, "data is a file."),
        (below_a_file, "somebody-s/x/y cannot be made: "),
        (where_nothing_can_be_made, "/proc/x cannot be made: "),
        (a_directory_of_somebody_else, "data can be written by other users"),
    ],
)
def test_another_place_is_proposed_and_nothing_is_moved_or_made(
    patient: Patient, make: Callable[[Path, Environ], None], told: str
) -> None:
    make(patient.here, patient.environ)
    before = [(path, path.stat().st_mode) for path in patient.here.rglob("*")]
    [trouble] = patient.troubles()
    assert (trouble["check"], told in trouble["finding"]) == ("data directory", True)
    assert trouble["fix"] == f"export GATEWAY_DATA_DIR={patient.here}/share/litestar-gateway"
    patient.repair(trouble["fix"])
    assert patient.troubles() == []
    assert [(path, path.stat().st_mode) for path in patient.here.rglob("*")] == before


def test_a_place_that_cannot_be_looked_at_is_told_without_a_repair_that_moves_something(patient: Patient) -> None:
    where_nobody_may_look(patient.here, patient.environ)
    told = {trouble["check"]: trouble["fix"] for trouble in patient.troubles()}
    elsewhere = f"export GATEWAY_DATA_DIR={patient.here}/share/litestar-gateway"
    assert told == {"settings": "", "data directory": elsewhere}
    patient.repair(elsewhere)
    assert patient.troubles() == []


def test_where_the_usual_place_cannot_be_either_a_directory_beside_the_file_is_proposed(patient: Patient) -> None:
    a_file(patient.here, patient.environ)
    patient.environ["XDG_DATA_HOME"] = "/proc/x"
    [trouble] = patient.troubles()
    assert trouble["fix"] == f"export GATEWAY_DATA_DIR={patient.here}/litestar-gateway"
