"""`onhand audit --release` asks the person at the terminal before it sends anything."""

import os
import pty
import signal
import sqlite3
import subprocess

from onhand import Onhand, call, order_of, product_with
from processes import DEADLINE_S, bare_environment, binary, until


def stopped(onhand):
    onhand.process.send_signal(signal.SIGTERM)
    assert onhand.process.wait(DEADLINE_S) == 0


def copy(source, target):
    """A database as it is, whatever stands in its log."""
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    with sqlite3.connect(source) as there, sqlite3.connect(target) as here:
        there.backup(here)


def audit(onhand, answer):
    """The exit code and what was said, the question being answered at a terminal."""
    mine, its = pty.openpty()
    os.write(mine, answer)
    done = subprocess.run(
        [binary("onhand"), "audit", "--release"],
        stdin=its,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=bare_environment(ONHAND_DATA=onhand.data),
    )
    os.close(mine)
    os.close(its)
    return done.returncode, done.stderr


def test_releases_are_sent_once_a_person_has_said_yes(processes, folder):
    onhand = Onhand(processes, folder)
    product = product_with(onhand.url, 9)
    orders, older = onhand.data / "order.db", folder / "older.db"
    stopped(onhand)
    copy(orders, older)
    onhand = Onhand(processes, folder)
    status, order = order_of(onhand.url, product, 4)
    assert status == 201, order
    stopped(onhand)
    copy(older, orders)
    onhand = Onhand(processes, folder)

    def stock():
        return call("GET", f"{onhand.url}/products/{product}")[1]["stock"]

    code, said = audit(onhand, b"n\n")
    assert code == 1 and "nothing was sent" in said, said
    assert f"INC-{order['id']} of 4 to product {product}" in said, said
    assert stock() == 5

    code, said = audit(onhand, b"y\n")
    assert code == 0 and "1 release sent" in said, said
    until("the release is carried out", lambda: stock() == 9)
