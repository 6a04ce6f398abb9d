"""What every test may ask for: a folder of its own, and processes that end with the test."""

import pathlib
import shutil
import tempfile

import pytest

from processes import Processes


@pytest.fixture
def folder():
    """A short path, since a Postgres socket's may be 107 bytes long, that any user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onhand-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def processes(folder):
    """Starts processes with their logs in the test's folder, and stops them when it is over."""
    started = Processes(folder)
    yield started
    started.stop()
