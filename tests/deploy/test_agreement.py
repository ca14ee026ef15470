"""Compose, Kubernetes, systemd, nginx and .env.example say the same."""

import re

import kubernetes_validate
import pytest

from tests.deploy.shapes import (
    ROOT,
    SERVERS,
    after,
    anywhere,
    compose,
    example_variables,
    ingress_route,
    manifests,
    nginx,
    nginx_route,
    objects,
    pod,
    seconds,
    unit,
    unit_start,
    upstreams,
)

PORTS = {"web": 8080, "mcp": 8001, "mcp-sse": 8001}


@pytest.mark.parametrize("name", [*SERVERS, "migrate"])
def test_every_way_to_deploy_runs_the_same_command(name: str) -> None:
    in_compose = anywhere(compose[name]["command"])
    assert anywhere(pod(name)["containers"][0]["args"]) == in_compose
    assert anywhere(unit_start(name)[1]) == in_compose


@pytest.mark.parametrize("name", SERVERS)
def test_ports_agree(name: str) -> None:
    port = PORTS[name]
    command = " ".join(compose[name]["command"])
    assert f":{port}" in command or f"--port {port}" in command
    assert upstreams()[name] == (name, port)
    assert f"127.0.0.1:{port}/" in compose[name]["healthcheck"]["test"][-1]
    assert pod(name)["containers"][0]["ports"][0]["containerPort"] == port
    assert objects["Service", name]["spec"]["ports"][0]["port"] == port
    allowed = objects["NetworkPolicy", "only-from-ingress"]["spec"]["ingress"][0]["ports"]
    assert {"port": port} in allowed


def test_the_cache_agrees() -> None:
    (container,) = pod("cache")["containers"]
    assert (container["image"], container["args"]) == (compose["cache"]["image"], compose["cache"]["command"])
    port = objects["Service", "cache"]["spec"]["ports"][0]["port"]
    assert compose["mcp"]["environment"]["CACHE_URL"] == f"redis://cache:{port}/0"
    assert objects["NetworkPolicy", "cache-only-from-servers"]["spec"]["ingress"][0]["ports"] == [{"port": port}]


def test_nginx_listens_where_compose_publishes() -> None:
    published = {entry.rpartition(":")[2] for entry in compose["nginx"]["ports"]}
    listens = set(re.findall(r"^\s*listen (\d+)", nginx + (ROOT / "nginx/start.sh").read_text(), re.MULTILINE))
    assert published == listens == {"8000", "8443"}
    assert "127.0.0.1:8000/healthz" in compose["nginx"]["healthcheck"]["test"][-1]
    assert "location = /healthz" in nginx


@pytest.mark.parametrize(
    ("path", "server"),
    [
        ("/", "web"),
        ("/admin/login/", "web"),
        ("/mcpx", "web"),
        ("/mcp", "mcp"),
        ("/mcp/", "mcp"),
        ("/mcp/ready", "mcp"),
        ("/.well-known/oauth-protected-resource/mcp", "mcp"),
        ("/.well-known/oauth-authorization-server", "web"),
        ("/mcp/sse", "mcp-sse"),
        ("/mcp/sse/", "mcp-sse"),
        ("/mcp/messages/", "mcp-sse"),
        ("/mcp/ssex", "mcp"),
    ],
)
def test_nginx_and_the_ingress_route_alike(path: str, server: str) -> None:
    assert (nginx_route(path), ingress_route(path)) == (server, server)


@pytest.mark.parametrize("path", ["/mcp/metrics", "/mcp/metrics/"])
def test_the_metrics_are_closed_from_outside(path: str) -> None:
    assert nginx_route(path) == "closed"
    # Pages of Django, which has none at this path.
    assert ingress_route(path) == "web"


@pytest.mark.parametrize("name", SERVERS)
def test_variables_agree(name: str) -> None:
    settings = objects["ConfigMap", "my-project-settings"]["data"]
    in_pod = settings | {entry["name"]: entry["value"] for entry in pod(name)["containers"][0].get("env", [])}
    in_unit, _ = unit_start(name)
    for variable, value in compose[name]["environment"].items():
        if variable in {"DATABASE_URL", "PGPASSWORD"}:
            continue  # Secrets in the cluster, .env on a host.
        assert in_pod[variable] == value
        if variable == "CACHE_URL":
            continue  # Where it is on a host, .env says.
        # On one host only nginx on that host is trusted.
        expected = "127.0.0.1" if variable == "FORWARDED_ALLOW_IPS" else value
        assert in_unit.get(variable, expected if name == "web" else None) == expected


def test_every_variable_is_in_the_example() -> None:
    internal = {"PGPASSWORD", "FORWARDED_ALLOW_IPS", "PROMETHEUS_MULTIPROC_DIR"}
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    used |= {variable for name in SERVERS for variable in compose[name]["environment"]}
    used |= set(objects["ConfigMap", "my-project-settings"]["data"])
    used |= {variable for name in SERVERS for variable in unit_start(name)[0]}
    used |= set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "entrypoint.sh").read_text()))
    used |= settings_variables()
    assert used - internal - example_variables() == set()


def settings_variables() -> set[str]:
    settings = (ROOT / "myproject/settings.py").read_text()
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings)) - {"DJANGO_ENV_FILE"}


@pytest.mark.parametrize("name", ["mcp", "mcp-sse"])
def test_a_running_call_has_time_to_end_before_anything_is_killed(name: str) -> None:
    graceful = after(compose[name]["command"], "--timeout-graceful-shutdown")
    pause = int(pod(name)["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert 30 < graceful < seconds(compose[name]["stop_grace_period"])
    assert graceful + pause < pod(name)["terminationGracePeriodSeconds"]
    assert graceful < int(unit(name)["Service"]["TimeoutStopSec"])
    assert graceful <= seconds(compose["nginx"]["stop_grace_period"])


def test_a_server_keeps_idle_connections_longer_than_nginx_does() -> None:
    # nginx closes its own after 60 s; one that the server closed first would cost a call.
    assert after(compose["mcp"]["command"], "--timeout-keep-alive") > 60


def test_sse_is_one_process() -> None:
    assert after(compose["mcp-sse"]["command"], "--workers") == 1
    deployment = objects["Deployment", "mcp-sse"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    assert "--workers" not in compose["mcp"]["command"]
    assert "replicas" not in objects["Deployment", "mcp"]["spec"]
    assert objects["HorizontalPodAutoscaler", "mcp"]["spec"]["minReplicas"] >= 2


def test_limits_agree() -> None:
    annotations = objects["Ingress", "my-project"]["metadata"]["annotations"]
    word = "nginx.ingress.kubernetes.io"
    assert f"client_max_body_size {annotations[f'{word}/proxy-body-size']};" in nginx
    assert f"proxy_connect_timeout {annotations[f'{word}/proxy-connect-timeout']}s;" in nginx
    assert f"rate={annotations[f'{word}/limit-rps']}r/s;" in nginx
    assert f"proxy_next_upstream {annotations[f'{word}/proxy-next-upstream']};" in nginx
    assert annotations[f"{word}/proxy-buffering"] == "off"


def test_no_call_is_ever_repeated_after_it_was_sent() -> None:
    annotations = objects["Ingress", "my-project"]["metadata"]["annotations"]
    assert "non_idempotent" not in re.sub("#.*", "", nginx)
    assert "non_idempotent" not in str(annotations)


@pytest.mark.parametrize("name", SERVERS)
def test_nothing_runs_as_root_or_writes_its_own_image(name: str) -> None:
    assert "USER app" in (ROOT / "Dockerfile").read_text()
    assert compose[name]["read_only"] is True
    assert compose[name]["cap_drop"] == ["ALL"]
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    container = pod(name)["containers"][0]["securityContext"]
    assert (container["readOnlyRootFilesystem"], container["allowPrivilegeEscalation"]) == (True, False)
    assert unit(name)["Service"]["User"] not in {"", "root"}


def test_every_manifest_is_applied() -> None:
    (kustomization,) = manifests["kustomization.yaml"]
    assert sorted(kustomization["resources"]) == sorted(set(manifests) - {"kustomization.yaml"})
    images = {pod(name)["containers"][0]["image"] for name in (*SERVERS, "migrate")}
    assert images == {entry["name"] for entry in kustomization["images"]}


@pytest.mark.parametrize(("kind", "name"), sorted(objects))
def test_every_manifest_fits_the_published_schema(kind: str, name: str) -> None:
    kubernetes_validate.validate(objects[kind, name], "1.34", strict=True)


def test_a_manifest_with_a_misspelled_field_would_be_noticed() -> None:
    budget = objects["PodDisruptionBudget", "mcp"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(budget | {"spec": {"maxUnavailble": 1}}, "1.34", strict=True)
