"""Ray's cluster file and KubeRay's manifest: by the schemas that Ray and Kubernetes publish. Nothing is started."""

import importlib.util
import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from config import load_site
from streamer.cli import COMMANDS

RAY = Path(__file__).parents[2] / "deploy" / "ray"
_KUBERNETES = "1.31"

#: Fields of ray.io/v1 that KubeRay 1.2 knows and this manifest may use.
_CLUSTER_FIELDS = {"rayVersion", "headGroupSpec", "workerGroupSpecs", "enableInTreeAutoscaling"}
_GROUP_FIELDS = {"rayStartParams", "template"}
_WORKER_FIELDS = _GROUP_FIELDS | {"groupName", "replicas", "minReplicas", "maxReplicas"}


def _documents():
    return list(yaml.safe_load_all((RAY / "raycluster.yaml").read_text()))


def _of_kind(kind):
    (found,) = (one for one in _documents() if one["kind"] == kind)
    return found


def _groups():
    spec = _of_kind("RayCluster")["spec"]
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def test_the_cluster_file_is_what_ray_takes():
    ray = importlib.util.find_spec("ray")
    if ray is None:
        pytest.skip("needs Ray, the extra `cluster`")
    schema = Path(ray.submodule_search_locations[0]) / "autoscaler" / "ray-schema.json"
    cluster = yaml.safe_load((RAY / "cluster.yaml").read_text())
    jsonschema.validate(cluster, json.loads(schema.read_text()))
    assert cluster["max_workers"] == len(cluster["provider"]["worker_ips"])
    assert any(cluster["provider"]["head_ip"] in command for command in cluster["head_start_ray_commands"])


def test_nobody_but_the_cluster_gets_a_dashboard_of_ray():
    cluster = yaml.safe_load((RAY / "cluster.yaml").read_text())
    assert any("--include-dashboard=false" in command for command in cluster["head_start_ray_commands"])
    assert _groups()[0]["rayStartParams"]["include-dashboard"] == "false"
    rules = _of_kind("NetworkPolicy")["spec"]["ingress"]
    open_to_all = [rule for rule in rules if "from" not in rule]
    assert [port["port"] for rule in open_to_all for port in rule["ports"]] == [8787]


@pytest.mark.parametrize("kind", ["ConfigMap", "PersistentVolumeClaim", "NetworkPolicy", "Service"])
def test_kubernetes_takes_each_document(kind):
    kubernetes_validate.validate(_of_kind(kind), _KUBERNETES, strict=True)


@pytest.mark.parametrize("number", range(3))
def test_kubernetes_takes_the_pods_of_each_group(number):
    template = _groups()[number]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", **template["metadata"]},
        "spec": template["spec"],
    }
    kubernetes_validate.validate(pod, _KUBERNETES, strict=True)


def test_a_pod_that_is_none_is_noticed():
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "x", "imagge": "y"}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, _KUBERNETES, strict=True)


def test_the_cluster_has_no_field_that_the_operator_does_not_know():
    cluster = _of_kind("RayCluster")
    assert cluster["apiVersion"] == "ray.io/v1"
    assert cluster["spec"].keys() <= _CLUSTER_FIELDS
    head, *workers = _groups()
    assert head.keys() <= _GROUP_FIELDS
    for worker in workers:
        assert worker.keys() <= _WORKER_FIELDS
        assert worker["minReplicas"] <= worker["replicas"] <= worker["maxReplicas"]
    for group in _groups():
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_every_container_is_locked_down_and_mounts_what_its_pod_has():
    for group in _groups():
        spec = group["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"] is True
            assert allowed["allowPrivilegeEscalation"] is False
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert "limits" in container["resources"]
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_the_daemon_joins_by_the_heads_own_node():
    head = _groups()[0]["template"]["spec"]["containers"]
    ray, daemon = head
    shared = [{mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]} for one in head]
    assert shared[0].items() <= shared[1].items()
    assert daemon["command"] == ["ppewatch"]
    assert daemon["args"][0] in COMMANDS
    port = ray["ports"][0]["containerPort"]
    assert daemon["args"][-1] == f"127.0.0.1:{port}"


def test_the_site_in_the_manifest_is_one_that_the_daemon_takes(tmp_path):
    for name in ("mqtt_password", "page_password", "camera_password"):
        (tmp_path / name).write_text("a-password-of-a-test")
    text = _of_kind("ConfigMap")["data"]["site.yaml"].replace("/run/secrets/ppewatch", str(tmp_path))
    (tmp_path / "site.yaml").write_text(text)
    site = load_site(tmp_path / "site.yaml")
    assert site.http.port == _of_kind("Service")["spec"]["ports"][0]["port"]
