"""What each way to deploy says, read from its own files: compose, Kubernetes, systemd, nginx."""

import re
import shlex
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ("web", "mcp", "mcp-sse")
HOSTS = {"127.0.0.1", "127.0.0.2", "0.0.0.0"}  # noqa: S104

compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
manifests: dict[str, list[dict[str, Any]]] = {
    path.name: list(yaml.safe_load_all(path.read_text())) for path in sorted((ROOT / "deploy/k8s").glob("*.yaml"))
}
objects = {
    (document["kind"], document["metadata"]["name"]): document
    for name, documents in manifests.items()
    if name != "kustomization.yaml"
    for document in documents
}
nginx = (ROOT / "nginx/nginx.conf").read_text()


def anywhere(command: list[str]) -> list[str]:
    """Return a command without the address it binds, which is the one thing that may differ."""
    return [re.sub("|".join(map(re.escape, HOSTS)), "HOST", word) for word in command]


def pod(name: str) -> dict[str, Any]:
    kind = "Job" if name == "migrate" else "Deployment"
    found: dict[str, Any] = objects[kind, name]["spec"]["template"]["spec"]
    return found


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    (path,) = (ROOT / "deploy/systemd").glob(f"*-{name}.service")
    parser.read_string(path.read_text().replace("\\\n", " "))
    return parser


def unit_start(name: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables and the command behind the entrypoint of one unit."""
    words = shlex.split(unit(name)["Service"]["ExecStart"])
    at = words.index("entrypoint.sh")
    return dict(word.split("=", 1) for word in words[1 : at - 1]), words[at + 1 :]


def upstreams() -> dict[str, tuple[str, int]]:
    found = re.findall(r"upstream (\S+) \{ server ([\w-]+):(\d+)", nginx)
    return {name: (host, int(port)) for name, host, port in found}


def nginx_route(path: str) -> str:
    """Return the upstream that nginx.conf sends a path to, or "closed"."""
    for pattern, block in re.findall(r"location ~ (\S+) \{(.*?)\n?\s*\}", nginx, re.DOTALL):
        if re.search(pattern, path):
            return re.findall(r"proxy_pass http://([\w-]+);", block)[0] if "proxy_pass" in block else "closed"
    return re.findall(r"location / \{ proxy_pass http://([\w-]+);", nginx)[0]


def ingress_route(path: str) -> str:
    """Return the Service that the Ingress sends a path to: the longest prefix of whole segments wins."""
    (rule,) = objects["Ingress", "my-project"]["spec"]["rules"]
    fitting = [entry for entry in rule["http"]["paths"] if f"{path}/".startswith(f"{entry['path'].rstrip('/')}/")]
    name: str = max(fitting, key=lambda entry: len(entry["path"]))["backend"]["service"]["name"]
    return name


def example_variables() -> set[str]:
    return set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def after(command: list[str], option: str) -> int:
    return int(command[command.index(option) + 1])
