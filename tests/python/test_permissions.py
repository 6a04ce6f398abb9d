"""nats/onhand.conf and users.conf: each user can do its part, and nothing of anybody else's."""

import asyncio

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig

from servers import PARTICIPANTS, Client, onhand_conf

STREAMS = {
    **{f"CMD_{word.upper()}": [f"cmd.{word}.*"] for word in PARTICIPANTS},
    "REPLY_ORDER": ["reply.order.*"],
    "EVENTS": ["event.>"],
    "DEAD": ["dead.*.*"],
}
READER = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL)


async def make_streams(client, names=tuple(STREAMS)):
    for name in names:
        await client.js.add_stream(StreamConfig(name=name, subjects=STREAMS[name]))


def of_participant(word):
    """The streams that a participant works with."""
    return (f"CMD_{word.upper()}", "REPLY_ORDER", "EVENTS", "DEAD")


async def first_of(client, stream, subject):
    """The first message of a stream, read as the nodes read: by an unnamed pull consumer."""
    reader = await client.js.pull_subscribe(subject, stream=stream, config=READER)
    return (await reader.fetch(1, timeout=10))[0]


TELLS = {"product": "reserved", "point": "used", "coupon": "issued", "payment": "completed"}


@pytest.mark.parametrize("word", PARTICIPANTS)
def test_an_order_and_a_participant_do_their_parts_each_as_its_own_user(processes, folder, word):
    server = onhand_conf(processes, folder)

    async def story():
        async with Client(server.url, "order-node") as order, \
                Client(server.url, f"{word}-node") as owner:
            await make_streams(order)
            # Whoever comes first makes them, the other finds them.
            await make_streams(owner, of_participant(word))

            await order.js.publish(f"cmd.{word}.3", b"take", headers={"Nats-Msg-Id": "DEC-1"})
            command = await first_of(owner, f"CMD_{word.upper()}", f"cmd.{word}.3")
            assert (command.data, command.headers["Nats-Msg-Id"]) == (b"take", "DEC-1")

            fact = f"event.{word}.{TELLS[word]}"
            await owner.js.publish("reply.order.5", b"taken")
            await owner.js.publish(fact, b"fact")
            await owner.js.publish(f"dead.{word}.3", b"nonsense")
            reply = await first_of(order, "REPLY_ORDER", "reply.order.5")
            assert reply.data == b"taken"

            for subject in ("event.order.created.pending", "event.product.reserve.failed",
                            "event.point.use.failed", "event.coupon.use.failed",
                            "event.payment.failed", "dead.order.0"):
                await order.js.publish(subject, b"x")
            # What a publisher looks up when it connects.
            last = await owner.js.get_last_msg("EVENTS", fact)
            assert last.data == b"fact"
            assert order.refused == [] and owner.refused == []

    asyncio.run(story())


def test_a_reader_of_events_reads_them_and_nothing_else(processes, folder):
    server = onhand_conf(processes, folder)

    async def story():
        async with Client(server.url, "order-node") as order, \
                Client(server.url, "ranking-node") as ranking:
            await make_streams(order)
            told = await order.js.publish("event.order.confirmed", b"fact")
            event = await first_of(ranking, "EVENTS", "event.order.confirmed")
            assert event.data == b"fact"
            assert (await ranking.js.get_msg("EVENTS", told.seq)).data == b"fact"
            assert ranking.refused == []

    asyncio.run(story())


def test_an_owner_answers_whoever_asks_it(processes, folder):
    server = onhand_conf(processes, folder)

    async def story():
        async with Client(server.url, "order-node") as order, \
                Client(server.url, "product-node") as product, \
                Client(server.url, "onhand") as everything:
            async def answer(question):
                await question.respond(b"five left")

            await product.connection.subscribe("ask.product.1", cb=answer)
            await product.settle()
            for asker in (order, everything):
                got = await asker.connection.request("ask.product.1", b"stock?", timeout=10)
                assert got.data == b"five left"
            assert product.refused == []

    asyncio.run(story())


@pytest.mark.parametrize(("user", "subjects"), [
    ("product-node", ["cmd.product.3", "event.order.confirmed", "event.product.reserve.failed",
                      "reply.point.1", "dead.order.1", "ask.order.1", "_INBOX_order-node.x",
                      "$JS.API.STREAM.DELETE.CMD_PRODUCT", "$JS.API.STREAM.PURGE.CMD_PRODUCT",
                      "$JS.API.STREAM.MSG.DELETE.CMD_PRODUCT", "$JS.API.STREAM.CREATE.OTHER",
                      "$JS.API.CONSUMER.CREATE.REPLY_ORDER.x", "$JS.API.STREAM.MSG.GET.DEAD"]),
    ("point-node", ["cmd.point.3", "cmd.product.3", "event.point.use.failed",
                    "event.order.confirmed", "event.product.reserved", "ask.product.1",
                    "dead.product.1", "_INBOX_order-node.x", "$JS.API.STREAM.DELETE.CMD_POINT",
                    "$JS.API.STREAM.CREATE.CMD_PRODUCT", "$JS.API.CONSUMER.CREATE.CMD_PRODUCT.x"]),
    ("coupon-node", ["cmd.coupon.3", "event.coupon.use.failed", "event.point.used",
                     "$JS.API.CONSUMER.CREATE.CMD_POINT.x"]),
    ("payment-node", ["cmd.payment.3", "event.payment.failed", "event.order.confirmed",
                      "$JS.API.CONSUMER.CREATE.CMD_COUPON.x"]),
    ("ranking-node", ["cmd.product.3", "reply.order.3", "event.order.confirmed", "dead.order.1",
                      "ask.order.1", "$JS.API.STREAM.CREATE.EVENTS", "$JS.API.STREAM.UPDATE.EVENTS",
                      "$JS.API.CONSUMER.CREATE.REPLY_ORDER.x", "$JS.API.STREAM.MSG.GET.DEAD"]),
    ("order-node", ["reply.order.3", "event.product.reserved", "event.point.used",
                    "dead.product.1", "_INBOX_product-node.x", "$JS.API.STREAM.DELETE.REPLY_ORDER",
                    "$JS.API.STREAM.PURGE.REPLY_ORDER", "$JS.API.CONSUMER.CREATE.CMD_PRODUCT.x"]),
    ("onhand", ["anything.else", "_INBOX_order-node.x", "$JS.API.STREAM.DELETE.DEAD",
                "$JS.API.STREAM.PURGE.DEAD", "$JS.API.STREAM.MSG.DELETE.CMD_PRODUCT"]),
    ("operator", ["cmd.product.3", "reply.order.3", "event.order.confirmed", "dead.order.1",
                  "ask.product.1", "$JS.API.STREAM.CREATE.X", "$JS.API.STREAM.UPDATE.DEAD",
                  "$JS.API.STREAM.DELETE.DEAD", "$JS.API.STREAM.PURGE.DEAD",
                  "$JS.API.STREAM.MSG.DELETE.DEAD", "$JS.API.CONSUMER.CREATE.DEAD.x"]),
])
def test_publishing_what_is_not_ones_own_is_refused(processes, folder, user, subjects):
    server = onhand_conf(processes, folder)

    async def story():
        async with Client(server.url, "onhand") as owner, Client(server.url, user) as client:
            await make_streams(owner)
            for subject in subjects:
                await client.publish_refused(subject)
            # Refused means that nothing arrived, not only that there was a complaint.
            for stream in STREAMS:
                assert (await owner.js.stream_info(stream)).state.messages == 0

    asyncio.run(story())


@pytest.mark.parametrize(("user", "subjects"), [
    ("product-node", [">", "_INBOX.>", "_INBOX_order-node.>", "reply.order.1", "cmd.>"]),
    ("point-node", [">", "_INBOX.>", "_INBOX_order-node.>", "cmd.point.1", "ask.product.1"]),
    ("coupon-node", [">", "ask.point.1"]),
    ("payment-node", [">", "ask.order.1", "reply.order.1"]),
    ("ranking-node", [">", "_INBOX.>", "event.>", "ask.order.1"]),
    ("order-node", [">", "_INBOX.>", "_INBOX_product-node.>", "cmd.product.1", "ask.product.1"]),
    ("onhand", [">", "_INBOX_operator.>"]),
])
def test_listening_to_what_is_not_ones_own_is_refused(processes, folder, user, subjects):
    server = onhand_conf(processes, folder)

    async def story():
        async with Client(server.url, user) as client:
            for subject in subjects:
                await client.subscribe_refused(subject)

    asyncio.run(story())


def test_an_operator_sees_every_message_and_every_stream(processes, folder):
    server = onhand_conf(processes, folder)

    async def story():
        async with Client(server.url, "onhand") as everything, \
                Client(server.url, "operator") as operator:
            await make_streams(everything)
            seen = await operator.connection.subscribe(">")
            await operator.settle()
            for subject in ("cmd.product.1", "reply.order.1", "event.order.confirmed"):
                await everything.js.publish(subject, b"x")
            subjects = set()
            while not {"cmd.product.1", "reply.order.1", "event.order.confirmed"} <= subjects:
                subjects.add((await seen.next_msg(timeout=10)).subject)

            assert (await operator.js.stream_info("CMD_PRODUCT")).state.messages == 1
            assert (await operator.js.get_msg("CMD_PRODUCT", 1)).subject == "cmd.product.1"
            assert {s.config.name for s in await operator.js.streams_info()} == set(STREAMS)
            assert operator.refused == []

    asyncio.run(story())


def test_a_dead_letter_can_be_removed_by_the_tools(processes, folder):
    server = onhand_conf(processes, folder)

    async def story():
        async with Client(server.url, "onhand") as everything:
            await make_streams(everything)
            letter = await everything.js.publish("dead.product.1", b"nonsense")
            assert (await first_of(everything, "DEAD", "dead.>")).data == b"nonsense"
            assert await everything.js.delete_msg("DEAD", letter.seq)
            assert everything.refused == []

    asyncio.run(story())


@pytest.mark.parametrize("credentials", [{}, {"user": "onhand", "password": "p-operator"}])
def test_nobody_gets_in_without_a_password(processes, folder, credentials):
    server = onhand_conf(processes, folder)

    async def story():
        with pytest.raises(nats.errors.Error, match="(?i)authorization violation"):
            await nats.connect(server.url, allow_reconnect=False, **credentials)

    asyncio.run(story())
