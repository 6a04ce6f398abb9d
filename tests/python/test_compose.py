"""compose.yml: right by its schema and by the project's files, and it works without Docker too."""

import fnmatch
import json
import pathlib
import subprocess

import jsonschema
import pytest

import compose
from onhand import call, order_of, product_with, ready
from processes import DEADLINE_S, ROOT, bare_environment, binary, free_port, until
from servers import Postgres, nats_server


def test_it_is_valid_by_the_compose_specification():
    schema = compose.schema()
    validator = jsonschema.Draft201909Validator(schema)
    validator.validate(compose.load())
    # The schema does say no.
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"services": {"nats": {"imagee": "nats"}}})


def test_what_it_mounts_is_in_the_project():
    found = [path for service in compose.services().values() for path in compose.mounts(service)]
    assert len(found) == 3
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_it_publishes_one_address_on_loopback():
    published = {
        name: service["ports"] for name, service in compose.services().items() if "ports" in service
    }
    assert published == {"gateway": ["127.0.0.1:8080:8080"]}


def test_every_service_has_a_health_check_and_waits_for_the_healthy():
    for name, service in compose.services().items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy", (name, needed)


def test_the_gateway_sends_every_path_to_a_node_that_listens_there():
    listening = {
        f"{name}:{node['environment']['ONHAND_LISTEN'].rpartition(':')[2]}"
        for name, node in compose.nodes().items()
    }
    assert set(compose.routes().values()) == listening


def test_the_image_holds_every_program_that_a_service_starts():
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, node in compose.nodes().items():
        assert node["command"][0] == node["healthcheck"]["test"][1], name
        assert f"target/release/{node['command'][0]} " in dockerfile, name


def test_the_image_is_built_from_every_member_of_the_workspace_and_as_it_is():
    cargo = ["cargo", "metadata", "--no-deps", "--offline", "--format-version=1"]
    known = json.loads(subprocess.check_output(cargo, cwd=ROOT))
    members = [
        pathlib.Path(package["manifest_path"]).parent.relative_to(ROOT).parts[0]
        for package in known["packages"]
    ]
    let_through = [
        line.removeprefix("!").removesuffix("/Cargo.toml")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    missing = [
        member
        # How the dependencies are built stands beside them.
        for member in [*members, ".cargo"]
        if not any(fnmatch.fnmatch(member, pattern) for pattern in let_through)
    ]
    assert missing == []


def test_every_variable_is_one_that_the_program_knows():
    for name, node in compose.nodes().items():
        program = binary(node["command"][0])
        known = subprocess.run(
            [program, "--help"], check=True, capture_output=True, text=True, timeout=DEADLINE_S
        ).stdout
        unknown = [v for v in node["environment"] if f"{v}]" not in known and f"{v}=" not in known]
        assert unknown == [], name


def test_its_commands_and_variables_take_an_order_without_docker(processes, folder):
    services = compose.services()
    places = {
        "nats:4222": start_nats(processes, folder, services["nats"]),
        "postgres:5432": start_postgres(processes, folder, services["postgres"]),
    }
    bases = {}
    for name, node in compose.nodes().items():
        inside = node["environment"]["ONHAND_LISTEN"].rpartition(":")[2]
        bases[f"{name}:{inside}"] = start_node(processes, folder, name, node, places)

    at = {path: bases[target] for path, target in compose.routes().items()}
    product = product_with(at["/products"], stock=5)
    status, order = order_of(at["/orders"], product, 3)
    assert (status, order["status"]) == (201, "CONFIRMED"), order
    assert call("GET", f"{at['/orders']}/orders/{order['id']}") == (200, order)
    assert call("GET", f"{at['/products']}/products/{product}")[1]["stock"] == 2
    points = f"{at['/users/*/points']}/users/u-001/points"
    charged = call("POST", f"{points}/charge", {"amount": 500}, Idempotency_Key="gift")
    assert charged == (200, {"userId": "u-001", "balance": 500})
    assert call("GET", points) == charged
    best = {"productId": product, "name": "Mug", "quantity": 3, "rank": 1}
    top = f"{at['/stats']}/stats/products/top?days=3&limit=5"
    until("the order is ranked", lambda: call("GET", top) == (200, [best]))


def start_nats(processes, folder, service):
    """Its own command with the mounted configuration; returns host and port."""
    program, *arguments = service["command"]
    assert program == "nats-server"
    for here, inside in compose.mounts(service).items():
        arguments = [word.replace(inside, str((ROOT / here).resolve())) for word in arguments]
    environment = bare_environment(**service["environment"])
    server = nats_server(processes, arguments, environment, folder)
    return server.url.removeprefix("nats://")


def start_postgres(processes, folder, service):
    """A Postgres with the databases that its mounted script makes; returns host and port."""
    postgres = Postgres(processes, folder)
    (script,) = compose.mounts(service)
    postgres.run("sh", ROOT / script, **service["environment"])
    return f"127.0.0.1:{postgres.port}"


def start_node(processes, folder, name, node, places):
    """Its own command and variables, hosts and ports being this machine's; returns its URL."""
    port = free_port()
    data = folder / name
    data.mkdir()
    environment = bare_environment(ONHAND_DATA=data)  # in the image a line of the Dockerfile
    for variable, value in node["environment"].items():
        for inside, here in places.items():
            value = value.replace(inside, here)
        environment[variable] = value
    # Every interface, as in its container: its health check must cope with that.
    environment["ONHAND_LISTEN"] = f"0.0.0.0:{port}"

    program, *arguments = node["command"]
    process = processes.start(name, [binary(program), *arguments], environment, cwd=data)
    url = f"http://127.0.0.1:{port}"
    until(f"{name} is ready", lambda: ready(url), process)

    _, checker, *flags = node["healthcheck"]["test"]
    subprocess.run([binary(checker), *flags], check=True, env=environment, timeout=DEADLINE_S)
    return url
