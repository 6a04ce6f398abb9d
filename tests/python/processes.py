"""Processes of a test: started, waited for, their logs shown when something goes wrong."""

import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE_S = 90


def until(what, probe, process=None):
    """The first true answer of `probe`; an exception in it counts as not yet."""
    end = time.monotonic() + DEADLINE_S
    last, why = None, f"not within {DEADLINE_S} s"
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            why = f"its process ended with {process.returncode}"
            break
        try:
            if answer := probe():
                return answer
        except Exception as error:  # noqa: BLE001 (whatever it was, it is shown when time is up)
            last = error
        time.sleep(0.05)
    log = process.log.read_text(errors="replace")[-4000:] if process is not None else ""
    raise AssertionError(f"{what}: {why} (last: {last!r})\n{log}")


def free_port():
    """A port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tool(variable, script):
    """A program that the Makefile hands over; found by the same script where it does not."""
    given = os.environ.get(variable)
    return given or subprocess.check_output([ROOT / "tools" / script], text=True).strip()


def binary(name):
    """One of our own programs, which `make test-python` builds beforehand."""
    folder = pathlib.Path(os.environ.get("ONHAND_TEST_BINARIES", ROOT / "target" / "debug"))
    path = folder / name
    assert path.exists(), f"{path} is not built: run `make test-python`"
    return path


def bare_environment(**more):
    """This process's environment without our own variables, which a test sets itself."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ONHAND_", "NATS_", "PG"))}
    return kept | {k: str(v) for k, v in more.items()}


class Processes:
    """Everything that one test started."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, command, environment=None, **options):
        log = self.folder / f"{name}.log"
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [str(word) for word in command],
                env=environment if environment is not None else bare_environment(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                **options,
            )
        process.log = log
        self.running.append(process)
        return process

    def stop(self):
        """In the order opposite to their start: a node before its broker."""
        for process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(DEADLINE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.running.clear()
