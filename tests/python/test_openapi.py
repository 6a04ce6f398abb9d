"""What the program answers is what its OpenAPI document says, whatever it is asked.

Schemathesis makes requests from the document, valid and broken ones. Where a path names something,
it is often put in the place of what was made up, so that more than `404` is answered.
"""

import os
import uuid

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from onhand import Onhand, call, order_of, product_with
from processes import ROOT, Processes

# What it keeps for itself goes where our tools are.
set_hypothesis_home_dir(ROOT / ".tools" / "hypothesis")

# Of each call, and as many in a broken form.
EXAMPLES = int(os.environ.get("ONHAND_TEST_EXAMPLES", "50"))
ALL_CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A running program, and things in it by the path that names them."""
    folder = tmp_path_factory.mktemp("openapi")
    processes = Processes(folder)
    # An order waits so long at most, and so does who asked for it.
    onhand = Onhand(processes, folder, ONHAND_ORDER_DEADLINE_MS=1000, ONHAND_ORDER_WAIT_MS=1500)
    yield Api(onhand.url)
    processes.stop()


class Api:
    """What stands in the program before it is asked anything."""

    def __init__(self, url):
        self.url = url
        product = product_with(url, 1_000_000)
        _, order = order_of(url, product, 1)
        external = {"method": "external"}
        line = {"productId": product, "quantity": 1}
        _, waiting = call(
            "POST", f"{url}/orders", {"buyerId": "u-001", "items": [line], "payment": external}
        )
        _, coupon = call(
            "POST",
            f"{url}/coupons",
            {"name": "ten off", "quantity": 1000, "discount": {"kind": "FIXED", "value": 10}},
        )
        self.ids = {
            "/products": [product],
            "/orders": [order["id"], waiting["id"]],
            "/payments": [order["id"]],
            "/coupons": [coupon["id"]],
            "/users": ["u-001"],
        }
        self.product, self.coupon = product, coupon["id"]

    def make_real(self, case, number):
        """Puts what is there in the place of what was made up, in two of three requests."""
        if number % 3 == 0:
            return
        known = self.ids.get("/" + case.operation.path.split("/")[1], [])
        if case.operation.path.endswith("/events"):
            known = known[:1]  # The other order waits to be paid, and its events with it.
        for name in case.path_parameters or {}:
            if known:
                case.path_parameters[name] = known[number % len(known)]
        body = case.body if isinstance(case.body, dict) else {}
        for item in body["items"] if isinstance(body.get("items"), list) else []:
            if isinstance(item, dict) and "productId" in item:
                item["productId"] = self.product
        for name, real in (("productId", self.product), ("couponId", self.coupon)):
            if isinstance(body.get(name), str):
                body[name] = real


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_describes(api, mode):
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 25, operations
    wrong = []
    for operation in operations:
        try:
            ask_for(api, operation, mode)
        except Unsatisfiable:
            pass  # There is no broken form of a request without anything in it.
        except (Failure, FailureGroup, BaseExceptionGroup) as failure:
            wrong.append(f"{operation.label}: {told(failure)}")
    assert not wrong, "\n\n".join(wrong)


def ask_for(api, operation, mode):
    """Asks one call in many ways."""
    numbers = iter(range(10**9))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        # What fails is told as it was asked: asking for less of it takes long.
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        api.make_real(case, next(numbers))
        case.call_and_validate(base_url=api.url, checks=ALL_CHECKS, timeout=30)

    ask()


def told(failure):
    """Every failure in a group, in its own words."""
    inner = getattr(failure, "exceptions", None)
    return "\n".join(map(told, inner)) if inner else str(failure)


def test_an_unknown_path_and_method_are_answered_in_the_documented_form(api):
    for method, path, expected in [
        ("GET", f"/nowhere/{uuid.uuid4()}", (404, "NOT_FOUND")),
        ("PUT", "/products", (405, "METHOD_NOT_ALLOWED")),
    ]:
        status, body = call(method, f"{api.url}{path}")
        assert (status, body["error"]) == expected
        assert set(body) == {"error", "message", "details"}
