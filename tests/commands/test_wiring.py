"""A site's settings arrive at the parts unchanged: every key that the parts know is followed to where it counts."""

from datetime import time
from pathlib import Path

import pytest

from config.document import parse_document
from config.loading import settings_of
from models.errors import WeightsError
from models.structures import Gear
from models.weights import STORE
from rules import AlertPer, Anchor
from streamer import wiring
from streamer.alerts.privacy import Blur
from streamer.present_limits import limit_warnings

SITE = """
site: {name: yard, timezone: Europe/Brussels}
mqtt: {host: broker, port: 8883, user: me, password: "${PW}", tls: {insecure: true}, protocol: 5, keepalive: 20}
retention: {age: 7d, bytes: 50MB, keep_free: 1MB, examples_wait: 2d, examples_bytes: 3MB}
feedback: {suppress_after: 4, suppress_within: 1d, suppress_for: 3d}
inference: {retinaface_weights: /w/r.safetensors}
cameras:
  gate:
    url: "rtsp://10.0.10.10/stream?token=t0ken"
    user: viewer
    password: "${PW}"
    transport: udp
    fps: 2
    priority: high
    input_size: 960
    decode: {threads: 2, keyframes_only: true}
    reconnect: {timeout: 3, stall: 7, initial: 100ms, max: 5}
    privacy: {blur: everyone, polygons: ["0,0, 0.5,0, 0.5,0.5"]}
    snapshots: {bytes: 50000, size: 640, quality: 70, timestamp: false}
    zones:
      apron: {coordinates: "0.1,0.2, 0.9,0.2, 0.9,0.9", anchor: head}
  yard: {url: clips/yard.mp4, loop: true}
rules:
  - name: masks
    where: [gate/apron, yard]
    require: [face_mask]
    dwell: 3
    clear: 4
    cooldown: 1m
    update_interval: 20
    schedule: {days: mon-fri, from: "22:00", to: "06:00"}
    severity: detection
    allow: [incorrect]
    alert_per: zone
  - {name: hats, where: [gate], require: [hard_hat], enabled: false}
"""


@pytest.fixture(scope="module")
def site():
    return settings_of(parse_document(SITE.encode(), "site.yaml"), Path("/sites"), {"PW": "s3cret"})


def test_a_camera_is_read_as_configured(site):
    source = wiring.source_of(site.cameras["gate"])
    assert source.url == "rtsp://10.0.10.10/stream?token=t0ken"
    assert (source.user, source.password) == ("viewer", "s3cret")
    assert (source.rtsp_transport, source.decode_threads, source.skip_frame) == ("udp", 2, "NONKEY")
    assert (source.open_timeout_s, source.stall_s) == (3, 7)
    assert "s3cret" not in repr(source)
    assert "t0ken" not in repr(source)
    recording = wiring.source_of(site.cameras["yard"])
    assert (recording.url, recording.loop) == ("/sites/clips/yard.mp4", True)


def test_a_camera_asks_the_inference_for_what_it_says(site):
    demand = wiring.demand_of(site, "gate")
    assert (demand.fps, demand.priority, demand.longest_side_px) == (2, "high", 960)
    assert wiring.demand_of(site, "yard").longest_side_px is None
    # only network cameras are guessed to be 16:9
    assert wiring.expected_input_sizes(site) == [(544, 960)]


def test_rules_hold_where_they_say(site):
    (masks,) = wiring.engine_of(site, "gate")._rules
    assert masks.places == ("apron",)
    assert masks.require == (Gear.FACE_MASK,)
    assert (masks.dwell_s, masks.clear_s, masks.cooldown_s, masks.update_s) == (3, 4, 60, 20)
    assert masks.allow_incorrect
    assert masks.alert_per is AlertPer.ZONE
    (shift,) = masks.schedule.windows
    assert (shift.days, shift.starts_at, shift.ends_at) == ((0, 1, 2, 3, 4), time(22), time(6))
    zone = wiring.engine_of(site, "gate")._zones._zones["apron"]
    assert zone.anchor is Anchor.HEAD
    assert zone.polygon_xy == ((0.1, 0.2), (0.9, 0.2), (0.9, 0.9))
    (whole,) = wiring.engine_of(site, "yard")._rules
    assert whole.places == (None,)


def test_alerts_look_as_configured(site):
    view = wiring.view_of(site, "gate")
    assert (view.site, view.topic_prefix) == ("yard", "ppewatch/yard")
    assert view.severities["masks"] == "detection"
    style = view.snapshots
    assert (style.max_bytes, style.longest_side_px, style.quality, style.timezone) == (50_000, 640, 70, None)
    assert style.blur is Blur.EVERYONE
    assert len(view.privacy_polygons[0]) == 3
    assert wiring.view_of(site, "yard").snapshots.timezone == "Europe/Brussels"


def test_the_broker_is_reached_as_configured(site):
    broker = wiring.broker_of(site.mqtt)
    assert (broker.host, broker.port, broker.user, broker.password) == ("broker", 8883, "me", "s3cret")
    assert (broker.protocol, broker.keepalive_s) == ("5", 20)
    assert broker.tls is not None
    assert broker.tls.insecure
    assert "s3cret" not in repr(broker)


def test_what_is_kept_is_bounded_as_configured(site):
    limits = wiring.outbox_limits_of(site.retention)
    assert (limits.acked_age_s, limits.acked_bytes, limits.min_free_bytes) == (
        7 * 86400,
        50_000_000,
        1_000_000,
    )
    assert wiring.weights_of(site) == {"retinaface": Path("/w/r.safetensors")}


MODELS_SITE = """
site: {name: yard}
cameras:
  masks: {url: a.mp4}
  hats: {url: b.mp4}
  both: {url: c.mp4}
  none: {url: d.mp4}
  named: {url: e.mp4, models: [maskrcnn]}
  off: {url: f.mp4, enabled: false}
rules:
  - {name: masks, where: [masks, both, named], require: [face_mask]}
  - {name: hats, where: [hats, both, off], require: [hard_hat]}
  - {name: later, where: [masks], require: [hard_hat], enabled: false}
"""
FACES, GEAR = frozenset({"retinaface"}), frozenset({"maskrcnn"})


def test_feedback_follows_its_settings(site):
    limits = wiring.example_limits_of(site.retention)
    assert (limits.wait_s, limits.age_s) == (2 * 86_400, 7 * 86_400)
    assert (limits.max_bytes, limits.min_free_bytes) == (3_000_000, 1_000_000)
    policy = wiring.area_policy_of(site.feedback)
    assert (policy.false_alarms, policy.within_s, policy.lasts_s) == (4, 86_400, 3 * 86_400)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ("", False),
        ("mqtt: {commands: true}", True),
        ("http: {user: me, password: secret}", True),
        ("http: {user: me, password: secret, enabled: false}", False),
        ("mqtt: {commands: true}\nfeedback: {examples: false}", False),
    ],
)
def test_frames_are_kept_only_where_a_verdict_can_come(lines, kept):
    text = f"site: {{name: yard}}\ncameras: {{gate: {{url: clip.mp4}}}}\n{lines}\n"
    site = settings_of(parse_document(text.encode(), "site.yaml"), Path("/sites"), {})
    assert wiring.keeps_examples(site) is kept


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder of weights in place of those that ship."""
    monkeypatch.setattr("models.loading.STORE", tmp_path)

    def install(*networks):
        for network in networks:
            (tmp_path / f"{network}.safetensors").touch()

    install("retinaface", "mask_state")
    return install


def models_site(text=MODELS_SITE):
    return settings_of(parse_document(text.encode(), "site.yaml"), Path("/sites"), {})


def test_a_camera_is_seen_by_the_models_that_its_rules_need(installed):
    installed("maskrcnn")
    site = models_site()
    seen_by = {name: wiring.models_of(site, name) for name in site.cameras}
    assert seen_by == {
        "masks": FACES,
        "hats": GEAR,
        "both": FACES | GEAR,
        "none": FACES,
        "named": GEAR,
        "off": GEAR,
    }
    assert wiring.all_models_of(site) == FACES | GEAR
    assert wiring.demand_of(site, "hats").models == GEAR


def test_what_is_not_installed_looks_at_nothing(installed):
    site = models_site()
    assert {wiring.models_of(site, name) for name in site.cameras} == {FACES}
    assert wiring.all_models_of(site) == FACES
    own = models_site(MODELS_SITE + "inference: {maskrcnn_weights: mine.safetensors}\n")
    assert wiring.models_of(own, "hats") == GEAR
    assert wiring.weights_of(own) == {"maskrcnn": Path("/sites/mine.safetensors")}


def test_what_cannot_be_told_is_warned_of(installed):
    site = models_site()
    said = limit_warnings(site)
    assert len(said) == 2
    assert (
        "rule 'hats' requires hard_hat, which the installed models do not see: maskrcnn is missing" in said[0]
    )
    assert said[1] == "camera 'named': maskrcnn is not installed: retinaface alone looks at it"
    installed("maskrcnn")
    (warning,) = limit_warnings(site)
    assert warning == (
        "rule 'masks' requires face_mask, which retinaface alone sees, and camera 'named' leaves it out of its models;"
        " it stays 'unknown' and never alarms"
    )
    assert limit_warnings(models_site(MODELS_SITE.replace("[maskrcnn]", "auto"))) == []


def test_settings_with_damaged_weights_are_found_unusable_before_anything_changes(tmp_path):
    weights = tmp_path / "r.safetensors"
    text = """
site: {name: yard}
cameras: {yard: {url: yard.mp4}}
rules: [{name: masks, where: [yard], require: [face_mask]}]
"""

    def site_with(more: str):
        return settings_of(parse_document((text + more).encode(), "site.yaml"), tmp_path, {})

    before = site_with("")
    wiring.check_usable(before, before=before)
    named = site_with(f"inference: {{retinaface_weights: {weights}}}")
    with pytest.raises(WeightsError, match="missing"):
        wiring.check_usable(named, before=before)
    wiring.check_usable(named, before=named)  # nothing is to be loaded
    whole = (STORE / "retinaface.safetensors").read_bytes()
    weights.write_bytes(whole)
    wiring.check_usable(named, before=before)
    weights.write_bytes(whole[:-1])
    with pytest.raises(WeightsError, match="damaged"):
        wiring.check_usable(named, before=before)


def test_alerts_are_counted_of_rules_that_hold(site):
    assert wiring.alert_sources_of(site) == {("gate", "masks"), ("yard", "masks")}


def test_people_are_counted_where_a_rule_holds_and_at_its_camera_as_a_whole(site):
    assert wiring.counted_places_of(site) == {("gate", None), ("gate", "apron"), ("yard", None)}
