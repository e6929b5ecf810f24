"""A page of evidence whose tables a command writes between two markers."""

from __future__ import annotations


def filled(page: str, text: str, begin: str, end: str) -> str:
    """The page with ``text`` between its two markers.

    Raises SystemExit where it does not have both, in order.
    """
    before, opened, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise SystemExit(f"the page needs the lines {begin} and {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
