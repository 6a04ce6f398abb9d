"""nats-server with the shipped configuration, and a private Postgres."""

import asyncio
import dataclasses
import json
import os
import pathlib
import pwd
import subprocess
import urllib.request

import nats

from processes import DEADLINE_S, ROOT, bare_environment, free_port, tool, until

PARTICIPANTS = ("product", "point", "coupon", "payment")
USERS = (*(f"{word}-node" for word in PARTICIPANTS), "order-node", "ranking-node", "onhand", "operator")


def password(user):
    """A letter first, as users.conf asks."""
    return f"p-{user}"


def nats_environment(**more):
    """What users.conf needs, and the server's own variables."""
    given = {f"NATS_PASSWORD_{user.upper().replace('-', '_')}": password(user) for user in USERS}
    return bare_environment(**given, **more)


def fetch(url):
    """The JSON behind a URL."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


@dataclasses.dataclass
class Nats:
    """A running nats-server."""

    process: subprocess.Popen
    url: str
    monitor: str


def nats_server(processes, arguments, environment, folder):
    """Starts one on ports that it chooses itself; `arguments` name the configuration."""
    ports = folder / "ports"
    ports.mkdir()
    process = processes.start(
        "nats-server",
        [tool("ONHAND_NATS_SERVER", "nats-server"), *arguments]
        + ["--addr", "127.0.0.1", "--port", "-1", "--http_port", "-1", "--ports_file_dir", ports],
        environment,
        cwd=folder,
    )
    chosen = until(
        "nats-server writes its ports",
        lambda: json.loads(next(ports.glob("*.ports")).read_text()),
        process,
    )
    server = Nats(process, chosen["nats"][0], chosen["monitoring"][0])
    until("nats-server is healthy", lambda: fetch(f"{server.monitor}/healthz"), process)
    return server


def onhand_conf(processes, folder):
    """A server from nats/onhand.conf; only its ports are the test's, its store is in the folder."""
    return nats_server(
        processes,
        ["--config", ROOT / "nats" / "onhand.conf"],
        nats_environment(),
        folder,
    )


async def settle(connection):
    """Waits until the server has all that was sent before.

    The client writes the PING of a flush ahead of what its own task is still to write: the first
    flush sees that written, and the second comes behind it.
    """
    await connection.flush()
    await connection.flush()


class Client:
    """A nats-py connection as one of the users, which keeps what the server complained about."""

    def __init__(self, url, user):
        self.url, self.user, self.refused = url, user, []

    async def __aenter__(self):
        async def keep(error):
            self.refused.append(str(error).lower())

        self.connection = await nats.connect(
            self.url,
            user=self.user,
            password=password(self.user),
            inbox_prefix=f"_INBOX_{self.user}".encode(),
            error_cb=keep,
            max_reconnect_attempts=-1,
        )
        self.js = self.connection.jetstream(timeout=10)
        return self

    async def __aexit__(self, *_):
        await self.connection.close()

    async def settle(self):
        """Waits until the server has all that was sent before."""
        await settle(self.connection)

    async def publish_refused(self, subject):
        """Publishes, and waits until the server has refused it; raises where it does not."""
        await self.connection.publish(subject, b"x")
        await self._complaint(f'permissions violation for publish to "{subject}"')

    async def subscribe_refused(self, subject):
        """Subscribes, and waits until the server has refused it; raises where it does not."""
        await self.connection.subscribe(subject)
        await self._complaint(f'permissions violation for subscription to "{subject}"')

    async def _complaint(self, text):
        # The server writes it before it answers, but the client hands it on by a task.
        await self.settle()
        end = asyncio.get_running_loop().time() + 10
        while not any(text.lower() in complaint for complaint in self.refused):
            assert asyncio.get_running_loop().time() < end, f"no {text} in {self.refused}"
            await asyncio.sleep(0.01)


class Postgres:
    """A private cluster: trusted by its socket, by password on loopback, as in the container."""

    def __init__(self, processes, folder):
        self.programs = pathlib.Path(tool("ONHAND_POSTGRES_BIN", "postgres"))
        self.port = free_port()
        home = folder / "postgres"
        home.mkdir()
        # Postgres refuses to run as root, so there it runs as somebody else who owns its folder.
        options = {}
        if os.geteuid() == 0:
            owner = unprivileged()
            os.chown(home, owner.pw_uid, owner.pw_gid)
            options = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        data = home / "data"
        subprocess.run(
            [self.programs / "initdb", "--pgdata", data, "--username", "postgres"]
            + ["--auth-local", "trust", "--auth-host", "scram-sha-256", "--encoding", "UTF8"]
            + ["--no-sync"],
            check=True, cwd=home, env=bare_environment(), stdout=subprocess.DEVNULL, **options,
        )
        self.process = processes.start(
            "postgres",
            [self.programs / "postgres", "-D", data, "-p", self.port]
            + ["-c", "listen_addresses=127.0.0.1", "-k", home],
            cwd=home,
            **options,
        )
        self.environment = bare_environment(PGHOST=home, PGPORT=self.port)
        self.environment["PATH"] = f"{self.programs}{os.pathsep}{self.environment['PATH']}"
        until("postgres answers", lambda: self.run("pg_isready", "--username", "postgres"), self.process)

    def run(self, program, *arguments, **more):
        """Runs one of Postgres' programs, or a script that does, against this cluster."""
        subprocess.run(
            [program, *arguments], check=True, env=self.environment | more, capture_output=True,
            timeout=DEADLINE_S,
        )
        return True


def unprivileged():
    """Debian's postgres where it exists, else nobody."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
