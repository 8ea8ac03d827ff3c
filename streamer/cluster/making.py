"""From a site's settings to its watch on a cluster: a composition root, as ``streamer.wiring`` is."""

from collections.abc import Callable, Iterable

from config import ClusterSettings, Device, SiteSettings
from rules import SuppressionArea
from streamer import wiring
from streamer.cluster.placement import CameraWish, Kind, Need
from streamer.cluster.ray_crew import RayCrew
from streamer.cluster.ray_start import connect
from streamer.cluster.watch import ClusterWatch
from streamer.service.heartbeats import Heartbeats
from streamer.site_watch import SiteWatch, WatchEvents, WatchMaker


def cluster_watch(site: SiteSettings, address: str, *, cores: float | None = None) -> WatchMaker:
    """Connect to the cluster at ``address``; what makes the watch there. ``cores``: those that a cluster of this
    machine gives away, by default all that it has. Raises ``ClusterError``.
    """
    cluster = site.cluster
    ray = connect(address, cores=cores)
    gpus = sum(float(node["Resources"].get("GPU", 0.0)) for node in ray.nodes() if node["Alive"])
    needs = needs_of(cluster, on_gpu=gpus > 0 and site.inference.device is not Device.CPU)

    def make(
        site: SiteSettings,
        heartbeats: Heartbeats,
        events: WatchEvents,
        areas_of: Callable[[str], Iterable[SuppressionArea]],
    ) -> SiteWatch:
        return ClusterWatch(
            site,
            heartbeats,
            events,
            areas_of,
            crew=RayCrew(ray, needs=needs, threads=threads_of(cluster)),
            counts={
                Kind.INGEST: cluster.ingest,
                Kind.INFERENCE: cluster.inference,
                Kind.RULES: cluster.rules,
            },
            needs=needs,
            wish_of=wish_of,
            lost_after_s=cluster.lost_after_s,
        )

    return make


def needs_of(cluster: ClusterSettings, *, on_gpu: bool) -> dict[Kind, Need]:
    """What one part of each kind takes of its machine."""
    return {
        Kind.INGEST: Need(cluster.ingest_cores),
        Kind.INFERENCE: Need(cluster.inference_cores, 1.0 if on_gpu else 0.0),
        Kind.RULES: Need(cluster.rules_cores),
    }


def threads_of(cluster: ClusterSettings) -> int:
    """Threads of the networks of one inference part on a CPU."""
    return max(1, round(cluster.inference_cores))


def wish_of(site: SiteSettings, camera_id: str) -> CameraWish:
    """What a camera asks of the placement: its cost is the pictures that the networks see of it in a second."""
    demand = wiring.demand_of(site, camera_id)
    return CameraWish(camera_id, demand.fps * demand.pictures, site.cameras[camera_id].node)
