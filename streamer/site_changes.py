"""What a reload has to touch."""

from config import SiteSettings


def changed_cameras(before: SiteSettings, after: SiteSettings) -> list[str]:
    """Cameras that are new, or whose station or rules are made of something else."""
    return [
        camera_id
        for camera_id in after.cameras
        if camera_id not in before.cameras or _of_camera(before, camera_id) != _of_camera(after, camera_id)
    ]


def changed_sections(before: SiteSettings, after: SiteSettings) -> list[str]:
    """Sections that are read at the start alone, and changed."""
    names = ("mqtt", "http", "inference", "ingest", "retention", "feedback", "cluster", "state_dir")
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _of_camera(site: SiteSettings, camera_id: str) -> tuple[object, ...]:
    """Everything that a camera's station and rules are made of."""
    rules = tuple(
        (rule, tuple(place for place in site.places_of(rule) if place.camera == camera_id))
        for rule in site.rules
    )
    return site.cameras[camera_id], tuple(entry for entry in rules if entry[1]), site.site
