"""A site's YAML: settings or ``ConfigError``."""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from fuzz.byte_mutation import damaged
from fuzz.structured_mutation import damaged_text
from fuzz.target import CANARY, Case, Target, Unexpected

from config import ConfigError, config_revision, load_site

ENVIRON = {"HOME": "/home/me", "PW": CANARY}

SITES = (
    f"""\
site: {{name: yard, timezone: Europe/Brussels}}
fps: 5
mqtt: {{host: 127.0.0.1, user: a, password: ${{PW}}, commands: true, tls: true}}
http: {{listen: 127.0.0.1:8787}}
cameras:
  gate:
    url: rtsp://viewer:{CANARY}@10.0.10.10:554/stream
    priority: high
    input_size: 640
    motion: {{enabled: true}}
    tiles: {{grid: [2, 1]}}
    zones:
      apron: {{coordinates: "0.03,0.30, 0.97,0.30, 0.97,0.99, 0.03,0.99", anchor: feet}}
    privacy: {{blur: bystanders, polygons: ["0,0, 0.5,0, 0.5,0.5"]}}
  dock:
    url: http://10.0.10.11/video?user=a&pwd={CANARY}
    user: viewer
    password: {CANARY}
rules:
  - name: hard hats
    where: [gate/apron]
    require: [hard_hat]
    dwell: 2s
    clear: 5s
    cooldown: 60s
    schedule: {{days: mon-fri, from: "06:00", to: "18:00"}}
    severity: alert
""",
    f"""\
fps: 2.5
site:
  name: 'quoted-name'
cameras:
  hall: {{url: 'file:///srv/clips/hall.mp4', loop: true, password: ${{PW}}}}
  yard: &yard
    url: rtsps://10.0.0.1/live
    transport: udp
    decode: {{keyframes_only: yes}}
    reconnect: {{timeout: 5000ms, stall: 5m}}
  other: {{<<: *yard, url: "webcam:0"}}
rules:
- {{name: all, where: "*", require: [face_mask, hard_hat], dwell: 1.5}}
state_dir: /var/lib/ppewatch
retention: {{age: 30d, bytes: 1GB}}
inference: {{device: cpu, precision: int8}}
# {CANARY} stands in a comment
""",
)


class SiteFiles(Target):
    """Through a real file, as every command that takes SITE.yaml does."""

    title = "YAML site files"
    cases = 8_000
    short = 150
    limit_s = 20.0
    most_mb = 256.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._seeds = [site.encode() for site in SITES]
        self._foreign = [site.replace(CANARY, "x").encode() for site in SITES]

    def make(self, rng: Random) -> Case:
        seed = rng.choice(self._seeds)
        mutate = rng.choice((damaged_text, damaged_text, damaged))
        # a file that tells its secret outside of the places for secrets is no fault of the reader: those stay whole
        lines = seed.splitlines(keepends=True)
        plain = [index for index, line in enumerate(lines) if CANARY.encode() not in line]
        first = rng.choice(plain)
        last = first
        while last + 1 in plain and rng.random() < 0.8:
            last += 1
        part = b"".join(lines[first : last + 1])
        lines[first : last + 1] = [mutate(part, rng, others=self._foreign)]
        return Case(b"".join(lines), ".yaml")

    def run(self, case: Case) -> bool:
        path = self.folder / "site.yaml"
        path.write_bytes(case.data)
        try:
            site = load_site(path, ENVIRON)
        except ConfigError as error:
            if not error.problems or any("\n" in problem.message for problem in error.problems):
                raise Unexpected("a refusal without a problem, or with a problem of several lines") from None
            raise
        repr(site)
        for text in _texts(site.model_dump(mode="json")):
            # a quote that swallows the lines behind it makes one value of them: no password is known there
            if CANARY in text and not re.search(r"\s|passw|pwd", text):
                raise Unexpected(f"settings tell a secret: {text!r}")
        config_revision(site)
        return True


def _texts(value: object) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
