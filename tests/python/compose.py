"""compose.yml as Docker would read it: parsed, its variables filled in."""

import importlib.metadata
import json
import re

import yaml

from processes import ROOT

VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")


def filled(value):
    """`${NAME:-default}` as it reads where nobody has set NAME."""
    if isinstance(value, dict):
        return {name: filled(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if isinstance(value, str):
        text = VARIABLE.sub(lambda match: match[2], value)
        assert "$" not in text, f"{value}: a variable without a default"
        return text
    return value


def load():
    """The whole file."""
    return filled(yaml.safe_load((ROOT / "compose.yml").read_text()))


def services():
    """Every service by its name."""
    return load()["services"]


def mounts(service):
    """What of the project is mounted into a service: path in the container by path here."""
    pairs = (volume.split(":") for volume in service.get("volumes", []))
    return {pair[0]: pair[1] for pair in pairs if pair[0].startswith(".")}


def nodes():
    """The services that run our own programs."""
    return {name: service for name, service in services().items() if service["image"] == "onhand"}


def routes():
    """Which host and port the gateway sends a path to, read from its configuration."""
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    paths = dict(re.findall(r"@(\w+) path (\S+)", text))
    targets = dict(re.findall(r"handle @(\w+) \{\s*reverse_proxy (\S+)", text))
    assert paths.keys() == targets.keys()
    return {path: targets[name] for name, path in paths.items()}


def schema():
    """The compose specification's JSON schema, out of the package that ships it."""
    package = importlib.metadata.distribution("docker-compose")
    return json.loads(package.locate_file("compose/config/compose_spec.json").read_text())
