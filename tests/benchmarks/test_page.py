"""A page keeps its prose where its tables are written again; means have their errors beside them."""

from __future__ import annotations

import pytest

from benchmarks.page import filled, mean_and_error

MARKS = ("<!-- begin -->", "<!-- end -->")


def test_the_tables_stand_between_the_markers_and_the_rest_of_the_page_stays() -> None:
    page = f"# Photos\n\n{MARKS[0]}\nold\n{MARKS[1]}\n\nprose\n"
    once = filled(page, "new", *MARKS)
    assert once == f"# Photos\n\n{MARKS[0]}\n\nnew\n\n{MARKS[1]}\n\nprose\n"
    assert filled(once, "new", *MARKS) == once
    with pytest.raises(SystemExit, match="needs the lines"):
        filled("# Photos\n", "new", *MARKS)


def test_errors_need_several_seeds() -> None:
    # Of 1, 2, 3: a standard deviation of 1 over the root of 3.
    assert mean_and_error([1.0, 2.0, 3.0]) == "2.0 ± 0.6"
    assert mean_and_error([1.0]) == "1.0"
