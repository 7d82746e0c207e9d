"""docs/benchmarks.md: a run writes it anew around what somebody wrote by hand, or behind what it says."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from bench.page import CONTEST, NEEDS, Damaged, Run, by_hand, continued, rewritten
from bench.report import Table

ROOT = Path(__file__).parents[2]
HAND = "<!-- by hand -->\n**In short.** It is fast.\n\n| a | table |\n<!-- measured -->\n"


def run(title: str, *, day: int = 1, left_out: tuple[str, ...] = ()) -> Run:
    tables = [
        Table(f"{title} one", ["", "answers/s"], [["ours", "12"]], section=CONTEST),
        Table(f"{title} two", ["", "answers/s"], [["ours", "34"]], section=CONTEST),
        Table(f"{title} start", ["", "s"], [["ours", "0.5"]], section=NEEDS),
    ]
    return Run(f"python -m bench {title}", date(2026, 1, day), "2 cores", ["keys", "ledger"], tables, left_out)


def test_what_was_written_by_hand_is_kept_between_the_introduction_and_the_new_tables() -> None:
    before = f"# Benchmarks\n\nOld words.\n\n{HAND}\n### Old table\n"
    page = rewritten(before, run("new"))
    assert "Old" not in page
    assert page.count(HAND) == 1
    order = [page.index(part) for part in ("# Benchmarks", "python -m bench new", HAND, "### new one", "| ours")]
    assert order == sorted(order)


def test_a_page_written_twice_differs_in_the_run_only() -> None:
    once = rewritten(HAND, run("alpha", day=1))
    twice = rewritten(once, run("omega", day=2))
    assert twice == once.replace("alpha", "omega").replace("2026-01-01", "2026-01-02")


def test_a_page_nobody_wrote_on_has_no_marks() -> None:
    page = rewritten("", run("new"))
    assert "<!--" not in page
    assert page == rewritten(page, run("new"))


@pytest.mark.parametrize(
    ("page", "lost"),
    [("<!-- by hand -->\nWords that count.\n", "measured"), ("Words.\n<!-- measured -->\n", "by hand")],
)
def test_a_mark_without_the_other_is_an_error_and_not_the_end_of_the_words(page: str, lost: str) -> None:
    with pytest.raises(Damaged, match=f"without <!-- {lost} -->"):
        by_hand(page)
    with pytest.raises(Damaged):
        rewritten(page, run("new"))


def test_every_part_is_headed_once_and_what_is_missing_is_told() -> None:
    page = rewritten("", run("new", left_out=("portkey: not installed",)))
    heads = [line for line in page.splitlines() if line.startswith("#")]
    parts = [f"## {CONTEST}", "### new one", "### new two", f"## {NEEDS}", "### new start", "## Not measured"]
    assert heads == ["# Benchmarks", *parts]
    assert page.endswith("- portkey: not installed\n")


def test_another_run_goes_behind_what_the_page_says() -> None:
    before = rewritten(HAND, run("alpha"))
    page = continued(before, run("omega"))
    assert page.startswith(before)
    assert "# Another run\n" in page
    assert page.index("alpha start") < page.index("omega one")


def test_a_damaged_page_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    """Half an hour later it would be late."""
    page = tmp_path / "page.md"
    page.write_text("<!-- by hand -->\nWords.\n", "utf-8")
    words = ["-m", "bench", "--write", "--page", str(page)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"bench: {page}: there is <!-- by hand --> without <!-- measured -->" in done.stderr
    assert page.read_text("utf-8") == "<!-- by hand -->\nWords.\n"
