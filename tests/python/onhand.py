"""Our own program as a client sees it: started as a process, spoken to over HTTP."""

import json
import urllib.error
import urllib.request

from processes import bare_environment, binary, tool, until


def call(method, url, body=None, **headers):
    """The status and the JSON of an answer, an error's too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def ready(url):
    """Whether a node says that it can work; an exception while it cannot be reached."""
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
        return answer.status == 200


def product_with(url, stock, name="Mug"):
    """The id of a new product."""
    status, product = call("POST", f"{url}/products", {"name": name, "price": 12000, "stock": stock})
    assert status == 201, (status, product)
    return product["id"]


def order_of(url, product, quantity):
    """The status and the order that the answer carries."""
    line = {"productId": product, "quantity": quantity}
    return call("POST", f"{url}/orders", {"buyerId": "u-001", "items": [line]})


class Onhand:
    """`onhand up` on a free port, with its data in the test's folder."""

    def __init__(self, processes, folder, **environment):
        self.data = folder / "data"
        settings = {
            "ONHAND_LISTEN": "127.0.0.1:0",
            "ONHAND_NATS_LISTEN": "127.0.0.1:0",
            "ONHAND_NATS_SERVER": tool("ONHAND_NATS_SERVER", "nats-server"),
            "ONHAND_DATA": self.data,
        }
        # Of one that was stopped: what is read below is this one's.
        address = self.data / "onhand.addr"
        address.unlink(missing_ok=True)
        self.process = processes.start(
            "onhand", [binary("onhand"), "up"], bare_environment(**settings | environment), cwd=folder
        )
        self.url = until("onhand writes its address", lambda: address.read_text().strip(), self.process)
        until("onhand is ready", lambda: ready(self.url), self.process)

    @property
    def nats_url(self):
        """The address of the nats-server that it started."""
        return (self.data / "nats.url").read_text().strip()
