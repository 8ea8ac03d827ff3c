"""A site's file with a zone editor over it, and a daemon's part of reloading, for the tests of zones that change."""

from dataclasses import dataclass, field
from pathlib import Path

from config import SiteSettings, load_site
from config.errors import ConfigError
from streamer.reloads import Reloads
from streamer.site_text import SiteSource, zone_editor_of
from streamer.zone_editor.editor import ZoneEditor
from streamer.zone_editor.recent_looks import RecentLooks

TEXT = """\
site: {name: yard}
cameras:
  gate:
    url: rtsp://10.0.0.1/main
    password: ${GATE_PASSWORD}   # not here
    zones:
      apron:
        coordinates: "0.0,0.0, 0.1,0.0, 0.1,0.1, 0.0,0.1"
        anchor: head
  door: {url: rtsp://10.0.0.2/main, fps: 2}
rules:
  - name: masks on the apron
    where: [gate/apron]
    require: face_mask
    dwell: 1s
    clear: 1s
    cooldown: 0s
http: {user: operator, password: ${PAGE_PASSWORD}, edit_zones: true}
"""
SECRETS = {"GATE_PASSWORD": "gate-secret-1", "PAGE_PASSWORD": "page-secret-2"}
#: Where the face of ``judging.site_of_one`` walks.
WIDE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


@dataclass
class EditedSite:
    """A file, its editor, and what a daemon would go by. ``refusal``: why the daemon does not reload."""

    path: Path
    site: SiteSettings = field(init=False)
    editor: ZoneEditor = field(init=False)
    looks: RecentLooks = field(default_factory=RecentLooks)
    refusal: str | None = None
    reloads: int = 0

    def __post_init__(self) -> None:
        self.path.write_text(TEXT)
        self.path.chmod(0o640)
        self.environ = SECRETS | {"STATE_DIRECTORY": str(self.path.parent / "state")}
        self.site = load_site(self.path, self.environ)
        self._book = Reloads(self._reload)
        self.editor = zone_editor_of(
            SiteSource(self.path, self.environ),
            in_force=lambda: self.site,
            looks=self.looks,
            reloads=self._book,
            areas_of=lambda _camera: (),
        )

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def versions(self) -> list[Path]:
        return sorted((self.path.parent / "state" / "site-versions").glob("*.yaml"))

    def _reload(self) -> None:
        self.reloads += 1
        self._book.began()
        error = self.refusal
        try:
            site = load_site(self.path, self.environ)
        except ConfigError as wrong:
            error = str(wrong)
        if error is None:
            self.site = site
        self._book.ended(error)
