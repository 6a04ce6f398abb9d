"""nats/cluster.conf: the same file three times is one cluster, and it carries on without one of them."""

import asyncio
import json
import signal

import nats
from nats.js.api import StreamConfig

from onhand import Onhand, order_of, product_with
from processes import ROOT, free_port, tool, until
from servers import Client, Nats, fetch, nats_environment, password

NAMES = ("n1", "n2", "n3")


def start_cluster(processes, folder):
    """Three servers on loopback, where their ports differ; ready when they have a leader."""
    routes = {name: free_port() for name in NAMES}
    servers = {}
    for name in NAMES:
        client, monitor = free_port(), free_port()
        environment = nats_environment(
            NATS_SERVER_NAME=name,
            NATS_LISTEN=f"127.0.0.1:{client}",
            NATS_HTTP=f"127.0.0.1:{monitor}",
            NATS_CLUSTER=f"127.0.0.1:{routes[name]}",
            NATS_CLUSTER_PASSWORD="p-route",
            NATS_ROUTES="[{}]".format(
                ", ".join(f"nats://route:p-route@127.0.0.1:{port}" for port in routes.values())
            ),
            NATS_STORE=folder / name,
        )
        config = ROOT / "nats" / "cluster.conf"
        process = processes.start(
            name, [tool("ONHAND_NATS_SERVER", "nats-server"), "--config", config], environment
        )
        servers[name] = Nats(process, f"nats://127.0.0.1:{client}", f"http://127.0.0.1:{monitor}")
    for name, server in servers.items():
        until(f"{name} is ready", lambda s=server: ready(s), server.process)
    return servers


def ready(server):
    """Whether this server sees three servers with a leader, and JetStream serves."""
    meta = fetch(f"{server.monitor}/jsz")["meta_cluster"]
    healthy = fetch(f"{server.monitor}/healthz")["status"] == "ok"
    return healthy and meta["cluster_size"] == 3 and meta.get("leader") in NAMES


async def answered(what, request):
    """A request right after the cluster began, or after it lost a server, can go unanswered: whoever was
    to answer it may not lead yet. It is repeated, as the nodes do; so it has to be one that can be."""
    for attempt in range(60):
        try:
            return await request()
        except (nats.errors.Error, nats.js.errors.Error):
            assert attempt < 59, f"{what}: no answer"
            await asyncio.sleep(0.25)


async def publish(client, subject, data):
    headers = {"Nats-Msg-Id": subject}
    return await answered(subject, lambda: client.js.publish(subject, data, timeout=1, headers=headers))


async def add_stream(client, config):
    """Created once more with the same configuration it stays as it is."""
    return await answered(config.name, lambda: client.js.add_stream(config))


def urls(servers):
    return ",".join(server.url for server in servers.values())


def test_three_servers_keep_a_stream_when_its_leader_is_killed(processes, folder):
    servers = start_cluster(processes, folder)

    async def story():
        async with Client([s.url for s in servers.values()], "onhand") as client:
            await add_stream(
                client, StreamConfig(name="EVENTS", subjects=["event.>"], num_replicas=3)
            )
            await publish(client, "event.order.confirmed", b"before")
            cluster = (await answered("info", lambda: client.js.stream_info("EVENTS"))).cluster
            assert len(cluster.replicas) == 2

            servers[cluster.leader].process.send_signal(signal.SIGKILL)
            await publish(client, "event.order.failed", b"after")
            for number, data in ((1, b"before"), (2, b"after")):
                kept = await answered("kept", lambda n=number: client.js.get_msg("EVENTS", n))
                assert kept.data == data

    asyncio.run(story())


def test_an_order_is_placed_over_the_cluster(processes, folder):
    servers = start_cluster(processes, folder)
    shop = Onhand(
        processes,
        folder,
        ONHAND_NATS_URL=urls(servers),
        ONHAND_NATS_USER="onhand",
        ONHAND_NATS_PASSWORD=password("onhand"),
    )
    product = product_with(shop.url, stock=5)
    status, order = order_of(shop.url, product, 3)
    assert (status, order["status"]) == (201, "CONFIRMED"), json.dumps(order)
