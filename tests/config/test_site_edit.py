"""Zones and rules changed in a site's file: it says what was wanted, and every other byte stays."""

import difflib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from config import ConfigError, SiteSettings
from config.document import parse_document
from config.loading import settings_of
from config.site_edit import CameraWish, RuleWish, ZoneWish, differences, edited_site, rule_places

EXAMPLE = Path(__file__).parents[2] / "config" / "example.yaml"
ENVIRON = {"MQTT_PASSWORD": "one", "GATE_PASSWORD": "two"}
SQUARE = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))


def settings(raw: bytes) -> SiteSettings:
    return settings_of(parse_document(raw, "site.yaml"), Path("/site"), ENVIRON)


def zone(site: SiteSettings, camera: str, name: str, /, **changes: object) -> ZoneWish:
    was = site.cameras[camera].zones[name]
    same = {"was": name, "name": name, "corners": was.polygon_xy, "anchor": str(was.anchor)}
    return ZoneWish(**(same | changes))


def new_zone(name: str = "door", corners: tuple[tuple[float, float], ...] = SQUARE) -> ZoneWish:
    return ZoneWish(was=None, name=name, corners=corners, anchor="head")


def rule(site: SiteSettings, camera: str, name: str, /, **changes: object) -> RuleWish:
    was = next(each for each in site.rules if each.name == name)
    places = [where.partition("/") for where in was.where]
    same = {
        "was": name,
        "name": name,
        "require": tuple(map(str, was.require)),
        "dwell_s": was.dwell_s,
        "clear_s": was.clear_s,
        "cooldown_s": was.cooldown_s,
        "severity": str(was.severity),
        "alert_per": str(was.alert_per),
        "allow_incorrect": "incorrect" in was.allow,
        "enabled": was.enabled,
        "whole_picture": camera in was.where,
        "zones": tuple(place for owner, _, place in places if owner == camera and place),
    }
    return RuleWish(**(same | changes))


def new_rule(*zones: str, name: str = "masks: by the door", **changes: object) -> RuleWish:
    values = {
        "was": None,
        "name": name,
        "require": ("face_mask",),
        "dwell_s": 1.5,
        "clear_s": 5.0,
        "cooldown_s": 60.0,
        "severity": "alert",
        "alert_per": "person",
        "allow_incorrect": False,
        "enabled": True,
        "whole_picture": False,
        "zones": zones,
    }
    return RuleWish(**(values | changes))


def changed_lines(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    """Lines that went, and lines that came."""
    lines = list(difflib.ndiff(before.decode().splitlines(), after.decode().splitlines()))
    return (
        [line[2:] for line in lines if line.startswith("- ")],
        [line[2:] for line in lines if line.startswith("+ ")],
    )


def everything(site: SiteSettings, camera: str, **changes: ZoneWish | None) -> tuple[ZoneWish, ...]:
    """All zones of a camera, some of them as given, or left out."""
    zones = [changes.get(name, zone(site, camera, name)) for name in site.cameras[camera].zones]
    return tuple(each for each in zones if each is not None)


def test_what_is_wanted_as_it_is_changes_no_byte() -> None:
    raw = EXAMPLE.read_bytes()
    site = settings(raw)
    wish = CameraWish(
        camera="gate",
        zones=everything(site, "gate"),
        rules=tuple(rule(site, "gate", each.name) for each in site.rules),
    )
    assert edited_site(raw, site, wish, "site.yaml") == raw


def test_a_moved_corner_changes_one_line() -> None:
    raw = EXAMPLE.read_bytes()
    site = settings(raw)
    moved = ((0.03, 0.2), *site.cameras["gate"].zones["apron"].polygon_xy[1:])
    wish = CameraWish(
        camera="gate", zones=everything(site, "gate", apron=zone(site, "gate", "apron", corners=moved))
    )
    after = edited_site(raw, site, wish, "site.yaml")
    assert changed_lines(raw, after) == (
        ['        coordinates: "0.03,0.30, 0.97,0.30, 0.97,0.99, 0.03,0.99"'],
        ['        coordinates: "0.03,0.2, 0.97,0.3, 0.97,0.99, 0.03,0.99"'],
    )
    assert b"password: ${GATE_PASSWORD}" in after
    assert differences(site, settings(after)) == ["camera gate: zone apron changed"]


def test_a_renamed_zone_is_renamed_where_rules_name_it_and_comments_keep_their_column() -> None:
    raw = EXAMPLE.read_bytes()
    site = settings(raw)
    wish = CameraWish(
        camera="gate", zones=everything(site, "gate", apron=zone(site, "gate", "apron", name="yard"))
    )
    gone, came = changed_lines(raw, edited_site(raw, site, wish, "site.yaml"))
    assert gone == [
        "      apron:",
        '    where: [gate/apron]                  # camera, camera/zone, */zone, or "*"',
    ]
    assert came == [
        "      yard:",
        '    where: [gate/yard]                   # camera, camera/zone, */zone, or "*"',
    ]


def test_names_can_be_exchanged() -> None:
    raw = EXAMPLE.read_bytes()
    site = settings(raw)
    wish = CameraWish(
        camera="gate",
        zones=(
            zone(site, "gate", "apron", name="office_door"),
            zone(site, "gate", "office_door", name="apron"),
        ),
    )
    after = settings(edited_site(raw, site, wish, "site.yaml"))
    assert str(after.cameras["gate"].zones["apron"].anchor) == "head"
    assert after.rules[0].where == ("gate/office_door",)
    assert after.rules[1].where == ("gate/apron", "rehearsal")


def test_rules_are_changed_added_and_removed() -> None:
    raw = EXAMPLE.read_bytes()
    site = settings(raw)
    wish = CameraWish(
        camera="gate",
        zones=(*everything(site, "gate"), new_zone()),
        rules=(
            new_rule("door"),
            rule(site, "gate", "hard hats on the apron", dwell_s=4.0, require=("hard_hat", "face_mask")),
        ),
        removed_rules=("face masks indoors",),
    )
    after = edited_site(raw, site, wish, "site.yaml")
    new = settings(after)
    assert [each.name for each in new.rules] == ["hard hats on the apron", "masks: by the door"]
    assert new.rules[1].where == ("gate/door",)
    assert (new.rules[0].dwell_s, len(new.rules[0].require)) == (4.0, 2)
    assert rule_places(site, wish) == (1, 0)
    assert differences(site, new) == [
        "camera gate: zone door added",
        "rule “face masks indoors” removed",
        "rule “hard hats on the apron” changed",
        "rule “masks: by the door” added",
    ]
    for untouched in ("# ---- the machine ---", "schedule:", "# into Sunday", "neighbour's window"):
        assert after.count(untouched.encode()) == raw.count(untouched.encode()) > 0


def test_the_first_zone_and_the_first_rule_get_a_section() -> None:
    raw = b"site: {name: yard}\ncameras:\n  gate: {url: a.mp4}\n  door:\n    url: b.mp4  # the back"
    site = settings(raw)
    wish = CameraWish(camera="door", zones=(new_zone("hall"),), rules=(new_rule("hall"),))
    after = edited_site(raw, site, wish, "site.yaml")
    assert after.startswith(raw + b"\n    zones:\n      hall:\n")
    assert settings(after).rules[0].where == ("door/hall",)
    in_brackets = edited_site(raw, site, CameraWish(camera="gate", zones=(new_zone("hall"),)), "site.yaml")
    assert b'gate: {url: a.mp4, zones: {hall: {coordinates: "0.1,0.1, ' in in_brackets


def test_the_last_zone_takes_its_section_with_it() -> None:
    raw = (
        b"site: {name: yard}\ncameras:\n  gate:\n    url: a.mp4\n"
        b"    zones:\n      a: {coordinates: '0,0, 1,0, 1,1'}\n    fps: 3\n"
    )
    site = settings(raw)
    after = edited_site(raw, site, CameraWish(camera="gate", zones=()), "site.yaml")
    assert after == b"site: {name: yard}\ncameras:\n  gate:\n    url: a.mp4\n    fps: 3\n"


@pytest.mark.parametrize("zones", ["{}", "{  }  # none yet", "{ }   # none yet"])
def test_an_empty_section_is_filled(zones: str) -> None:
    raw = f"site: {{name: yard}}\ncameras:\n  gate:\n    url: a.mp4\n    zones: {zones}\n    fps: 3  # slow\n".encode()
    after = edited_site(raw, settings(raw), CameraWish(camera="gate", zones=(new_zone(),)), "site.yaml")
    assert settings(after).cameras["gate"].zones["door"].polygon_xy == SQUARE
    assert after.endswith(b"    fps: 3  # slow\n")
    assert after.count(b"# none yet") == raw.count(b"# none yet")


def test_an_empty_list_is_filled() -> None:
    raw = b"site: {name: yard}\nrules: []  # none yet\ncameras:\n  gate: {url: a.mp4}\n"
    wish = CameraWish(camera="gate", zones=(), rules=(new_rule(whole_picture=True),))
    after = edited_site(raw, settings(raw), wish, "site.yaml")
    assert settings(after).rules[0].name == "masks: by the door"
    assert b"  # none yet" in after


SHARED = (
    b"site: {name: yard}\ncameras:\n"
    b"  gate: &g\n    url: a.mp4\n    zones: &z\n      a: {coordinates: '0,0, 1,0, 1,1'}\n"
    b"  door: {url: b.mp4, zones: *z}\n"
    b"  hall:\n    <<: *g\n    url: c.mp4\n"
)


@pytest.mark.parametrize("camera", ["gate", "door"])
def test_what_is_shared_with_another_camera_is_left_to_its_author(camera: str) -> None:
    site = settings(SHARED)
    for zones in ((zone(site, camera, "a", corners=SQUARE),), (zone(site, camera, "a", name="b"),), ()):
        with pytest.raises(ConfigError, match="change it in the file"):
            edited_site(SHARED, site, CameraWish(camera=camera, zones=zones), "site.yaml")


def test_what_is_inherited_by_a_merge_gets_a_section_of_its_own() -> None:
    site = settings(SHARED)
    wish = CameraWish(camera="hall", zones=(zone(site, "hall", "a", corners=SQUARE),))
    after = edited_site(SHARED, site, wish, "site.yaml")
    assert after.startswith(SHARED)
    assert settings(after).cameras["hall"].zones["a"].polygon_xy == SQUARE
    assert settings(after).cameras["gate"] == site.cameras["gate"]


def test_a_rule_that_would_hold_nowhere_is_refused_at_its_place() -> None:
    raw = EXAMPLE.read_bytes()
    site = settings(raw)
    wish = CameraWish(camera="gate", zones=everything(site, "gate", apron=None))
    with pytest.raises(ConfigError) as caught:
        edited_site(raw, site, wish, "site.yaml")
    assert [problem.key for problem in caught.value.problems] == ["rules[0].where"]


@pytest.mark.parametrize(
    "wish",
    [
        {"zones": (new_zone("a"), new_zone("a"))},
        {"zones": (ZoneWish(was="none", name="x", corners=SQUARE, anchor="feet"),)},
        {"zones": (), "removed_rules": ("none",)},
        {"camera": "none", "zones": ()},
    ],
)
def test_wishes_that_name_nothing_are_refused(wish: dict[str, object]) -> None:
    raw = EXAMPLE.read_bytes()
    with pytest.raises(ConfigError):
        edited_site(raw, settings(raw), CameraWish(**({"camera": "rehearsal"} | wish)), "site.yaml")


# ---- any file, any change ----------------------------------------------------------------------------

_corners = st.sampled_from(
    [SQUARE, ((0.0, 0.0), (1.0, 0.0), (0.5, 0.1234)), ((0.2, 0.9), (0.4, 0.1), (0.9, 0.95), (0.6, 0.6))]
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Sites in many hands: every line that no change can want has a mark of its own."""
    step = draw(st.sampled_from([2, 3, 4]))
    offset = draw(st.sampled_from([0, 2]))
    marks = iter(range(1000))

    def mark() -> str:
        return draw(st.sampled_from(["", "  ", "     "])) + f"  # mark {next(marks)}."

    def corners() -> str:
        points = draw(_corners)
        text = ", ".join(f"{x:.2f},{y:.4f}" for x, y in points)
        pairs = ", ".join(f"[{x}, {y}]" for x, y in points)
        return draw(
            st.sampled_from([f'"{text}"', f"'{text}'", f"[{pairs}]", f"[ {pairs.replace(' ', '  ')} ]"])
        )

    lines = [f"# mark {next(marks)}.", "site: {name: yard,   timezone: UTC}" + mark(), "cameras:" + mark()]
    one = " " * step
    for camera in ("gate", "door"):
        lines += [f"{one}{camera}:{mark()}", f"{one * 2}url:   rtsp://h/${{CAM}}{mark()}"]
        lines += [f"{one * 2}tls: {{ca: ${{CA}},  insecure: false}}{mark()}"]
        names = draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
        if names:
            lines.append(f"{one * 2}zones:{mark()}")
        for name in names:
            anchor = draw(st.sampled_from(["", "feet", "head"]))
            if draw(st.booleans()):
                end = f",  anchor: {anchor}" if anchor else ""
                lines.append(f"{one * 3}{name}: {{ coordinates: {corners()}{end} }}{mark()}")
            else:
                lines += [f"{one * 3}{name}:{mark()}", f"{one * 4}coordinates: {corners()}{mark()}"]
                lines += [f"{one * 4}anchor: {anchor}{mark()}"] if anchor else []
        lines += [f"{one * 2}fps: 3{mark()}"] if draw(st.booleans()) else []
        lines += [""] * draw(st.integers(0, 2)) + [f"{one}# mark {next(marks)}."]
    rules = draw(st.integers(0, 3))
    if rules:
        lines.append("rules:" + mark())
    for number in range(rules):
        dash = " " * offset
        lines.append(f"{dash}- name: rule {number}{mark()}")
        where = draw(st.sampled_from(["gate", '"*"', "[gate, door]", "\n{0}- door\n{0}- 'gate'"]))
        lines += f"{dash}  where: {where.format(dash + '  ')}".split("\n")
        lines.append(f"{dash}  require: {draw(st.sampled_from(['face_mask', '[ hard_hat ]']))}{mark()}")
        lines += [f"{dash}  dwell: 3s{mark()}"] if draw(st.booleans()) else []
        lines += [f"{dash}  # mark {next(marks)}."]
    lines += ["mqtt: {password: ${PW}}" + mark()] if draw(st.booleans()) else []
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


@st.composite
def wishes(draw: st.DrawFn, site: SiteSettings) -> CameraWish:
    camera = draw(st.sampled_from(sorted(site.cameras)))
    zones = []
    names = draw(st.permutations(["a", "b", "c", "x", "y"]))
    for name in site.cameras[camera].zones:
        if draw(st.integers(0, 3)):
            changes: dict[str, object] = {}
            if draw(st.booleans()):
                changes["corners"] = draw(_corners)
            if draw(st.booleans()):
                changes["anchor"] = draw(st.sampled_from(["feet", "center", "head"]))
            if draw(st.booleans()):
                changes["name"] = names[len(zones)]
            zones.append(zone(site, camera, name, **changes))
    zones += [new_zone(f"new{number}", draw(_corners)) for number in range(draw(st.integers(0, 2)))]
    # a name that one has kept and another was given
    zones = list({each.name: each for each in zones}.values())
    removed = [each.name for each in site.rules if not draw(st.integers(0, 4))]
    rules = []
    for each in site.rules:
        if each.name not in removed and draw(st.booleans()):
            kept = [name.name for name in zones if draw(st.booleans())]
            whole = draw(st.booleans())
            rules.append(
                rule(
                    site,
                    camera,
                    each.name,
                    zones=tuple(kept),
                    whole_picture=whole,
                    require=draw(st.sampled_from([("hard_hat",), ("face_mask", "hard_hat")])),
                    dwell_s=draw(st.sampled_from([each.dwell_s, 0.25, 90.0])),
                    allow_incorrect=draw(st.booleans()),
                    enabled=draw(st.booleans()),
                )
            )
    rules += [
        new_rule(*(each.name for each in zones[:1]), name=f"new #{number}", whole_picture=not zones)
        for number in range(draw(st.integers(0, 2)))
    ]
    return CameraWish(camera=camera, zones=tuple(zones), rules=tuple(rules), removed_rules=tuple(removed))


AROUND = {"CAM": "camera", "CA": "/ca.pem", "PW": "secret"}


@examples(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(text=files(), data=st.data())
def test_any_change_to_any_file_leaves_all_other_lines_as_they_were(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    site = settings_of(parse_document(raw, "f"), Path("/site"), AROUND)
    wish = data.draw(wishes(site))
    try:
        after = edited_site(raw, site, wish, "f")
    except ConfigError as error:
        assert all("hold nowhere" in problem.message for problem in error.problems), str(error)  # noqa: PT017
        return
    new = settings_of(parse_document(after, "f"), Path("/site"), AROUND)
    # it says what was wanted
    assert {
        name: (each.polygon_xy, str(each.anchor)) for name, each in new.cameras[wish.camera].zones.items()
    } == {each.name: (each.corners, each.anchor) for each in wish.zones}
    told = {each.name: each for each in new.rules}
    for wanted in wish.rules:
        got = told[wanted.name]
        assert rule(new, wish.camera, got.name, was=wanted.was, zones=(), require=()) == RuleWish(
            **{name: getattr(wanted, name) for name in RuleWish.__slots__} | {"zones": (), "require": ()}
        )
        assert {*wanted.require} == {*map(str, got.require)}
        assert {f"{wish.camera}/{name}" for name in wanted.zones} <= {*got.where}
    assert not {*wish.removed_rules} & {*told}
    (other,) = {"gate", "door"} - {wish.camera}
    assert new.cameras[other] == site.cameras[other]
    # and every line that it need not touch is there as it was, in its order
    left = iter(after.decode().splitlines(keepends=True))
    touched = touched_marks(text, site, wish)
    for line in text.splitlines(keepends=True):
        if "# mark" in line and line.split("# mark ")[1].split(".")[0] not in touched:
            wanted_line = line.rstrip("\r\n")
            assert any(each.rstrip("\r\n") == wanted_line for each in left), line


def touched_marks(text: str, site: SiteSettings, wish: CameraWish) -> set[str]:
    """Marks in lines of this camera's zones and of rules, the only ones that a wish can reach."""
    reached, inside = set(), ""
    for line in text.splitlines():
        key = line.strip().split(":")[0]
        if key in ("gate", "door", "rules", "mqtt", "fps"):
            inside = key
        if line.strip().startswith("# mark"):
            continue
        in_zones = key == "zones" or key in ("a", "b", "c", "coordinates", "anchor")
        if ("# mark" in line) and (
            (inside == wish.camera and in_zones) or (inside == "rules" and key != "rules")
        ):
            reached.add(line.split("# mark ")[1].split(".")[0])
        if (
            ("# mark" in line)
            and key == "rules"
            and {*wish.removed_rules} >= {each.name for each in site.rules}
        ):
            reached.add(line.split("# mark ")[1].split(".")[0])
    return reached
