"""Child processes that look for no module in the current folder.

A folder that somebody else filled may hold a `json.py` or a `numpy/`. Python puts the current
folder in front of all others for `python -m` and `python -c`, so a child would run that file before
its own first line. `-I` and `-P` are no way out: the first also drops PYTHONPATH, by which hwnas
may be installed, the second needs Python 3.11. Standard library only: this file travels to remote
hosts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

WITHOUT_CURRENT_FOLDER = "import sys; sys.path[:] = [place for place in sys.path if place]\n"
"""The first statement of `python -c`, which has the current folder as an empty name.

`sys` is built in.
"""


def python_command(code: str) -> list[str]:
    """The command that runs `code` in this Python without the current folder on its path."""
    return [sys.executable, "-c", WITHOUT_CURRENT_FOLDER + code]


def child_environment(extra: Mapping[str, str], first: str) -> dict[str, str]:
    """This process's environment and `extra`, with the folder `first` in front of PYTHONPATH.

    Empty entries of PYTHONPATH mean the current folder, mostly by accident
    (`PYTHONPATH=$PYTHONPATH:/x`): they are left out. A folder that the user names there, `.` too,
    is the user's choice and stays.
    """
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join([first, *(entry for entry in entries if entry)])
    return {**os.environ, "PYTHONPATH": path, **extra}


@contextmanager
def working_in(folder: str) -> Iterator[str]:
    """Make `folder` the current one for a while; yields the one before, empty where that no longer
    exists.

    For `multiprocessing` and Ray, whose command lines are not ours: begun in a fresh empty folder,
    which has to stay while they start, their processes find no modules there.
    """
    try:
        before = os.getcwd()
    except FileNotFoundError:
        before = ""
    os.chdir(folder)
    try:
        yield before
    finally:
        if before:
            os.chdir(before)
