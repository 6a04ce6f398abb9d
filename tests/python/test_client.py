"""What passes over NATS while orders are placed, as a client sees it that shares no code with us."""

import asyncio
import contextlib
import datetime

import msgpack
import nats

from onhand import Onhand, call, order_of, product_with
from servers import settle

PARTITIONS = 8


def partition(entity):
    """FNV-1a of 64 bits over the id's text, modulo the partitions: written from its definition."""
    digest = 0xCBF29CE484222325
    for byte in entity.encode():
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return digest % PARTITIONS


async def watch(url, work, until_seen):
    """The messages by subject that pass while `work` runs in a thread, up to those asked for."""
    client = await nats.connect(url)
    heard = asyncio.Queue()
    for subjects in ("cmd.>", "reply.>", "event.>"):
        await client.subscribe(subjects, cb=heard.put)
    await settle(client)
    answer = await asyncio.to_thread(work)

    messages = {}
    missing = set(until_seen(answer))
    with contextlib.suppress(asyncio.TimeoutError):
        while missing:
            message = await asyncio.wait_for(heard.get(), 30)
            messages.setdefault(message.subject, []).append(message)
            missing.discard(message.subject)
    await client.close()
    assert not missing, f"never seen: {missing}; seen: {sorted(messages)}"
    return answer, messages


def only(messages, subject):
    """The one message on this subject, its headers being what every message has."""
    (message,) = messages[subject]
    assert message.headers["Content-Type"] == "application/msgpack"
    assert message.headers["Nats-Msg-Id"]
    return message


def envelope(messages, subject):
    """The one envelope in the one message on this subject."""
    (found,) = msgpack.unpackb(only(messages, subject).data)
    assert found["v"] == 1
    assert found["origin"] == "saga"
    datetime.datetime.fromisoformat(found["at"].replace("Z", "+00:00"))
    return found


def event(messages, kind):
    """The one event of a kind, its id standing in its header too."""
    message = only(messages, f"event.{kind}")
    found = msgpack.unpackb(message.data)
    assert (found["v"], found["kind"]) == (1, kind)
    assert found["id"] == message.headers["Nats-Msg-Id"]
    datetime.datetime.fromisoformat(found["at"].replace("Z", "+00:00"))
    return found


def test_a_confirmed_order_is_a_command_a_reply_and_three_events(processes, folder):
    shop = Onhand(processes, folder)
    product = product_with(shop.url, stock=5)
    command_subject = f"cmd.product.{partition(product)}"

    def subjects(answer):
        return [command_subject, f"reply.order.{partition(answer[1]['id'])}",
                "event.order.created.pending", "event.product.reserved", "event.order.confirmed"]

    (status, order), messages = asyncio.run(
        watch(shop.nats_url, lambda: order_of(shop.url, product, 3), subjects)
    )
    assert (status, order["status"]) == (201, "CONFIRMED")
    request = f"DEC-{order['id']}"
    reply_subject = f"reply.order.{partition(order['id'])}"

    command = envelope(messages, command_subject)
    assert only(messages, command_subject).headers["Nats-Msg-Id"] == f"{request}/{product}"
    assert (command["kind"], command["requestId"]) == ("product.reserve", request)
    assert (command["entity"], command["replyTo"]) == (product, reply_subject)
    assert command["body"] == {"orderId": order["id"], "quantity": 3}

    reply = envelope(messages, reply_subject)
    assert (reply["kind"], reply["requestId"]) == ("product.reserved", request)
    assert reply["entity"] == order["id"]
    assert reply["body"] == {"name": "Mug", "unitPrice": 12000, "quantity": 3, "remaining": 2}

    reserved = event(messages, "product.reserved")
    assert reserved["entity"] == product
    assert reserved["id"].startswith(f"product-{partition(product)}-")
    for kind in ("order.created.pending", "order.confirmed"):
        told = event(messages, kind)
        assert told["entity"] == order["id"]
        assert told["id"].startswith(f"order-{partition(order['id'])}-")
    # An order's events are told in the order in which they happened.
    assert (event(messages, "order.created.pending")["version"]
            < event(messages, "order.confirmed")["version"])


def test_a_refused_order_is_a_refusal_and_the_events_of_a_failed_step(processes, folder):
    shop = Onhand(processes, folder)
    product = product_with(shop.url, stock=2)

    def subjects(answer):
        return [f"reply.order.{partition(answer[1]['details']['order']['id'])}",
                "event.product.reserve.failed", "event.order.failed"]

    (status, problem), messages = asyncio.run(
        watch(shop.nats_url, lambda: order_of(shop.url, product, 3), subjects)
    )
    assert (status, problem["error"]) == (400, "INSUFFICIENT_STOCK")
    order = problem["details"]["order"]
    assert order["status"] == "FAILED"

    reply = envelope(messages, f"reply.order.{partition(order['id'])}")
    assert (reply["kind"], reply["requestId"]) == ("product.refused", f"DEC-{order['id']}")
    for kind in ("product.reserve.failed", "order.failed"):
        # Told by the order, from its own ledger.
        assert event(messages, kind)["id"].startswith(f"order-{partition(order['id'])}-")
    assert "event.product.reserved" not in messages


async def stored(url, enough):
    """The events that the stream has, in its order, once there are as many as asked for."""
    client = await nats.connect(url)
    reader = await client.jetstream().subscribe("event.>", ordered_consumer=True)
    events = []
    while not enough(events):
        message = await reader.next_msg(timeout=30)
        events.append(msgpack.unpackb(message.data))
        assert message.subject == f"event.{events[-1]['kind']}"
    await client.close()
    return events


def test_the_events_of_one_order_come_in_the_documented_order_and_say_all(processes, folder):
    shop = Onhand(processes, folder)
    mug, cup = product_with(shop.url, stock=5, name="Mug"), product_with(shop.url, stock=9, name="Cup")
    charge = {"amount": 5000}
    status, _ = call("POST", f"{shop.url}/users/u-001/points/charge", charge, Idempotency_Key="gift")
    assert status == 200
    campaign = {"name": "Spring", "discount": {"kind": "PERCENT", "value": 10}, "quantity": 3}
    status, campaign = call("POST", f"{shop.url}/coupons", campaign)
    assert status == 201
    coupon = campaign["id"]
    status, issued = call("POST", f"{shop.url}/coupons/{coupon}/issue", {"userId": "u-001"})
    assert (status, issued["number"]) == (201, 1)
    lines = [{"productId": mug, "quantity": 3}, {"productId": cup, "quantity": 2}]
    body = {"buyerId": "u-001", "items": lines, "points": 500, "couponId": coupon,
            "payment": {"method": "card", "token": "approve"}}
    status, order = call("POST", f"{shop.url}/orders", body)
    assert (status, order["status"]) == (201, "CONFIRMED")
    status, cancelled = call("POST", f"{shop.url}/orders/{order['id']}/cancel")
    assert (status, cancelled["status"]) == (200, "CANCELLED")

    # In order an owner: what one tells does not wait for another.
    documented = {
        ("order", order["id"]): ["order.created.pending", "order.confirmed", "order.cancelled"],
        ("product", mug): ["product.reserved", "product.released"],
        ("product", cup): ["product.reserved", "product.released"],
        ("point", "u-001"): ["point.used", "point.refunded"],
        ("coupon", coupon): ["coupon.issued", "coupon.used", "coupon.restored"],
        ("payment", order["id"]): ["payment.completed", "payment.cancelled"],
    }
    count = sum(map(len, documented.values()))
    events = asyncio.run(stored(shop.nats_url, lambda events: len(events) == count))
    of = {}
    for event in events:
        owner, number, _ = event["id"].split("-")
        assert number == str(partition(event["entity"]))
        of.setdefault((owner, event["entity"]), []).append(event)
    assert {who: [e["kind"] for e in told] for who, told in of.items()} == documented
    for told in of.values():
        assert [e["version"] for e in told] == sorted({e["version"] for e in told})
    assert len({e["id"] for e in events}) == count

    # What the order rests on was decided before it, step by step, and undone the payment first.
    placed, confirmed, undone = of["order", order["id"]]
    stock = [of["product", product] for product in (mug, cup)]
    used, refunded = of["point", "u-001"]
    _, redeemed, restored = of["coupon", coupon]
    paid, unpaid = of["payment", order["id"]]
    steps = [placed["at"], max(told[0]["at"] for told in stock), used["at"], redeemed["at"],
             paid["at"], confirmed["at"], unpaid["at"]]
    assert steps == sorted(steps)
    for told in (refunded, restored, *(told[1] for told in stock)):
        assert unpaid["at"] <= told["at"] <= undone["at"]

    # A reader needs nothing else: who, what, for how much, and when.
    for told in (confirmed, undone):
        body = told["body"]
        assert (body["id"], body["buyerId"]) == (order["id"], "u-001")
        assert [(i["productId"], i["name"], i["unitPrice"], i["quantity"], i["amount"])
                for i in body["items"]] == [(mug, "Mug", 12000, 3, 36000), (cup, "Cup", 12000, 2, 24000)]
        amounts = [body[name] for name in ("subtotal", "pointsUsed", "discount", "amountDue")]
        assert amounts == [60000, 500, 6000, 53500]
        datetime.datetime.fromisoformat(body["createdAt"].replace("Z", "+00:00"))
    assert (confirmed["body"]["status"], undone["body"]["status"]) == ("CONFIRMED", "CANCELLED")
    for told, name, quantity in zip(stock, ("Mug", "Cup"), (3, 2)):
        for body in (event["body"] for event in told):
            assert (body["productId"], body["orderId"]) == (told[0]["entity"], order["id"])
            assert (body["name"], body["unitPrice"], body["quantity"]) == (name, 12000, quantity)
    for told, balance in ((used, 4500), (refunded, 5000)):
        body = told["body"]
        assert (body["userId"], body["orderId"]) == ("u-001", order["id"])
        assert (body["amount"], body["balance"]) == (500, balance)
    for told in (redeemed, restored):
        body = told["body"]
        assert (body["couponId"], body["name"], body["number"]) == (coupon, "Spring", 1)
        assert (body["userId"], body["orderId"]) == ("u-001", order["id"])
        assert (body["subtotal"], body["discount"]) == (60000, 6000)
    for told in (paid, unpaid):
        body = told["body"]
        assert (body["orderId"], body["userId"]) == (order["id"], "u-001")
        assert (body["amount"], body["gateway"]) == (53500, "sandbox")
        assert body["gatewayId"] == paid["body"]["gatewayId"]


def test_the_event_of_a_refused_step_says_all_too(processes, folder):
    shop = Onhand(processes, folder)
    mug = product_with(shop.url, stock=5)
    lines = [{"productId": mug, "quantity": 3}]
    body = {"buyerId": "u-001", "items": lines, "points": 500}
    status, problem = call("POST", f"{shop.url}/orders", body)
    assert (status, problem["error"]) == (400, "INSUFFICIENT_POINTS")
    order = problem["details"]["order"]

    def told(events):
        return "point.use.failed" in [event["kind"] for event in events]

    failed = asyncio.run(stored(shop.nats_url, told))[-1]
    assert failed["entity"] == order["id"]
    datetime.datetime.fromisoformat(failed["at"].replace("Z", "+00:00"))
    body = failed["body"]
    assert (body["orderId"], body["buyerId"]) == (order["id"], "u-001")
    assert (body["step"], body["entity"], body["amount"]) == ("points", "u-001", 500)
    assert body["refusal"] == {"refusal": "INSUFFICIENT_POINTS", "available": 0, "requested": 500}
    (line,) = body["order"]["items"]
    assert (line["productId"], line["quantity"], line["amount"]) == (mug, 3, 36000)
    assert (body["order"]["subtotal"], body["order"]["pointsUsed"]) == (36000, None)
