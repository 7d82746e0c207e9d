"""docs/metrics.md holds the table of every metric as the code makes it."""

from pathlib import Path

from gateway_metrics.catalog import markdown_table

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text("utf-8")


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    assert PAGE.partition("<!-- generated -->\n")[2].partition("<!-- end -->")[0] == markdown_table()
