"""What the status page, the JSON, the health endpoints and the metrics say, over real HTTP."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, time
from hashlib import sha256
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import cv2
import jsonschema
import numpy as np
import pytest
from http_client import ask
from prometheus_client.parser import text_string_to_metric_families
from web_site import FIRST_ALERT, Site, jpeg_picture

from rules import Schedule, ShiftWindow
from streamer.alerts.alert_search import AlertFilter
from streamer.errors import StreamerError
from streamer.history.buckets import BUCKET_S
from streamer.history.grouping import Shift
from streamer.web.app import create_app
from streamer.web.server import WebServer, WebServerError
from streamer.web.status import OutboxStatus, StageStatus, WorkerStatus, utc_text
from streamer.web.view import person_time


def metrics(server: WebServer) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(ask(server, "/metrics").text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


PAGES = ("/", "/alerts", f"/alerts/{FIRST_ALERT}", "/compliance", "/system")
PARTS = ("/part/wall", "/part/alerts", f"/part/alerts/{FIRST_ALERT}", "/part/system")


def test_the_wall_shows_cameras_and_the_latest_alerts(server: WebServer) -> None:
    page = ask(server, "/").text
    for text in (
        "north &lt;yard&gt;",
        "1 of 2 cameras online, 1 open alert",
        'data-camera="loading-dock"',
        "the camera refused the user or the password",
        '<span class="pill bad">moved</span>',
        "100,400 600,400 600,990 100,990",
        "No face mask",
        "face masks at the entrance",
        f"/api/alerts/{FIRST_ALERT}/thumbnail?v={sha256(jpeg_picture()).hexdigest()[:12]}",
        "not yet delivered",
        "left view",
    ):
        assert text in page, text


def test_the_system_page_shows_cameras_worker_and_delivery(server: WebServer) -> None:
    page = ask(server, "/system").text
    for text in (
        "90% of the usual view",
        "2 min",
        "Heads in desk",
        "17 px, 25 % too small",
        "4.9 of 5 fps",
        "142 ms",
        "1 message, 48 kB",
        "inference: beating",
    ):
        assert text in page, text


def test_an_alert_s_page_tells_evidence_and_trace(server: WebServer) -> None:
    page = ask(server, f"/alerts/{FIRST_ALERT}").text
    for text in (
        "No face mask",
        "#1840 new",
        "missing: face without mask 0.96",
        "waits",
        "missing for 2.0 s in the zone",
        "sha256:" + "ab" * 32,
    ):
        assert text in page, text
    for path in ("/alerts/01JD0000000000000000000000", "/alerts/..%2f", "/part/alerts/x.y"):
        assert ask(server, path).status == 404


def test_the_feed_asks_for_what_its_form_says(server: WebServer, site: Site) -> None:
    page = ask(
        server, "/alerts?camera=entrance&zone=desk&rule=a%26b&since=2026-11-21T08:00&until=2026-11-21T07:30Z"
    )
    wanted = site.asked[-2] or site.asked[-1]
    assert wanted == AlertFilter(
        camera="entrance", zone="desk", rule="a&b", since=1_795_244_400.0, until=1_795_246_200.0
    )
    assert 'data-part="/part/alerts?camera=entrance&amp;zone=desk&amp;rule=a%26b' in page.text
    assert "<option selected>entrance</option>" in page.text
    # there is no alert of it, and yet it is what is shown
    assert "<option selected>a&amp;b</option>" in page.text
    beyond = (
        "since=0001-01-01T00:00%2B23:59",
        "until=9999-12-31T23:59-23:59",
        "since=9999-12-31T23:59:59.9999Z",
    )
    for bad in (
        "since=yesterday",
        "until=2026-13-01",
        "before=x",
        "before=-1",
        *beyond,
    ):
        assert ask(server, f"/alerts?{bad}").status == 400, bad


def test_the_feed_goes_on_page_by_page(server: WebServer, site: Site) -> None:
    site.alert_list = [
        replace(site.alert_list[1], alert_id=f"A{number}", seq=number) for number in range(60, 0, -1)
    ]
    seen: list[str] = []
    path: str | None = "/alerts?camera=x"
    while path:
        page = ask(server, path).text
        seen += re.findall(r'data-alert="(A[0-9]+)"', page)
        older = re.search(r'href="(/alerts\?[^"]*before=[0-9]+)">Older', page)
        path = older and older[1].replace("&amp;", "&")
    assert seen == [alert.alert_id for alert in site.alert_list]


def test_compliance_never_stands_without_what_could_not_be_told(server: WebServer) -> None:
    page = ask(server, "/compliance").text
    assert "entrance / desk" in page
    # 400 of 460 or so were worn, and 180 of 640 could not be told
    assert "worn of the time in which it could be told, 29 % could not be told" in page
    rows = ask(server, "/api/compliance").json
    assert [(row["camera"], row["zone"]) for row in rows] == [("entrance", None), ("entrance", "desk")]
    assert rows[0]["worn_share"] == pytest.approx(400 / 450, abs=1e-4)
    assert rows[0]["unknown_share"] == pytest.approx(180 / 630, abs=1e-4)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (59.0, "59 s"),
        (5400.0, "90 min"),
        (9000.0, "2.5 h"),
        (212_400.0, "59 h"),
        (4.5e6, "1\u2009250 h"),
    ],
)
def test_person_time_is_told_in_hours(seconds: float, words: str) -> None:
    assert person_time(seconds) == words


def test_shifts_are_those_of_the_settings_in_force(site: Site) -> None:
    now = datetime.fromtimestamp(site.now, UTC)
    later = (now.hour + 2) % 24, (now.hour + 3) % 24
    shifts: list[Shift] = []

    def shift(name: str, begins: int, ends: int) -> Shift:
        return Shift(name, Schedule((ShiftWindow(tuple(range(7)), time(begins), time(ends)),)))

    app = create_app(site, site_name="yard", version="1", history=site, shifts=lambda: shifts)
    with WebServer(app, "127.0.0.1", 0) as server:
        shifts[:] = [shift("not yet", *later)]
        site.buckets = [bucket for bucket in site.buckets if site.now - bucket.starts_at < BUCKET_S]
        assert "Nobody was counted in the hours of any rule" in ask(server, "/compliance").text
        # reloaded: no new app is made
        shifts[:] = [shift("all day", 0, 0)]
        assert ">all day" in ask(server, "/compliance").text
        assert {row["period"] for row in ask(server, "/api/compliance?by=shift").json} == {"all day"}


def test_compliance_as_a_file_for_a_spreadsheet(server: WebServer, site: Site) -> None:
    site.buckets = [replace(bucket, place=replace(bucket.place, camera="=1+1")) for bucket in site.buckets]
    answer = ask(server, "/api/compliance.csv?by=hour")
    assert answer.headers["content-disposition"].startswith('attachment; filename="compliance-')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(float(row["worn_s"]) for row in rows) == pytest.approx(16 * 400.0)
    assert {row["camera"] for row in rows} == {"'=1+1"}
    # the hour as the site's clock shows it; an empty cell stays empty
    for row in rows:
        since = datetime.fromisoformat(row["since"]).astimezone(ZoneInfo("Europe/Brussels"))
        assert row["period"] == f"{since:%Y-%m-%d %H:00}"
    assert {row["zone"] for row in rows} == {"", "desk"}
    for bad in (
        "by=week",
        "from=x",
        "from=2026-11-02&to=2026-11-01",
        "from=2020-01-01&to=2026-01-01",
        "to=9999-12-31",
    ):
        assert ask(server, f"/api/compliance.csv?{bad}").status == 400, bad


def test_only_cameras_that_deliver_are_watched(server: WebServer, site: Site) -> None:
    # one that is away has the picture that came last, which must not pass for the present
    site.pictures["loading-dock"] = site.pictures["entrance"]
    looks = ask(server, "/api/live?camera=entrance&camera=store&camera=loading-dock&camera=nowhere").json
    assert site.watched == ["entrance"]
    (look,) = looks
    assert [person["gear"]["face_mask"]["state"] for person in look["people"]] == ["missing", "worn"]
    assert ask(server, "/api/live/entrance/picture").body == jpeg_picture()
    assert ask(server, "/api/live/store/picture").status == 404
    assert ask(server, "/api/live/loading-dock/picture").status == 404
    assert ask(server, "/api/live/nowhere/picture").status == 404
    assert "nowhere" not in site.watched


def test_the_page_asks_nobody_but_its_own_server(server: WebServer) -> None:
    class Links(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.found += [text or "" for name, text in attributes if name in {"src", "href"}]
            names = {name for name, _ in attributes}
            assert not {name for name in names if name.startswith("on")} | (names & {"style"}), tag
            assert tag != "style"

    parser = Links()
    for path in PAGES + PARTS:
        parser.feed(ask(server, path).text)
    assert len(parser.found) >= 40
    for link in parser.found:
        assert link.startswith(("/", "#"))
        assert not link.startswith("//")
        assert ask(server, link.partition("#")[0] or "/").status == 200, link


def test_what_cameras_and_rules_are_called_cannot_become_markup(server: WebServer, site: Site) -> None:
    attack = "<script>alert(1)</script>\"'><img src=x>"
    site.camera_list = [replace(site.camera_list[0], camera=attack, reason=attack)]
    site.alert_list = [replace(site.alert_list[0], rule=attack, reason=attack, zone=attack)]
    site.buckets = [replace(bucket, place=replace(bucket.place, zone=attack)) for bucket in site.buckets]
    for path in PAGES + PARTS:
        page = ask(server, path).text
        assert "<script>alert" not in page
        assert "<img src=x>" not in page
        assert "&lt;script&gt;alert(1)" in page or path == f"/alerts/{attack}"


def test_an_empty_site_is_no_blank_page(server: WebServer, site: Site) -> None:
    site.camera_list, site.alert_list, site.stage_list = [], [], []
    site.buckets = []
    assert "No alert yet" in ask(server, "/alerts").text
    assert "No alert fits" in ask(server, "/alerts?camera=entrance").text
    assert "No camera is configured" in ask(server, "/").text
    assert "Starting" in ask(server, "/").text
    assert "Nobody was counted" in ask(server, "/compliance").text


def test_the_headline_tells_that_alerts_reach_nobody(server: WebServer, site: Site) -> None:
    site.alert_list = []
    site.outbox_status = replace(site.outbox_status, connected=False, reason="refused", pending=3)
    page = ask(server, "/").text
    assert "no connection to the broker, 3 messages wait" in page
    assert 'class="headline bad"' in page
    site.outbox_status = replace(site.outbox_status, pending=0)
    assert 'class="headline busy"' in ask(server, "/").text
    # a start is no failure
    site.outbox_status = replace(site.outbox_status, reason="starting")
    assert "no connection" not in ask(server, "/").text


def test_the_headline_tells_that_nobody_is_watched(server: WebServer, site: Site) -> None:
    site.health_status = replace(site.health_status, state="unready", detail="the models are built anew")
    page = ask(server, "/").text
    assert "Nobody is watched: the models are built anew" in page
    assert 'class="headline bad"' in page


def test_the_system_page_says_why(server: WebServer, site: Site) -> None:
    site.outbox_status = replace(site.outbox_status, connected=False, detail="nothing answers at 127.0.0.1")
    site.worker_status = replace(
        site.worker_status, state="degraded", reason="pictures_fail", cameras_aside=("entrance",)
    )
    page = ask(server, "/system").text
    assert "nothing answers at 127.0.0.1" in page
    assert '<span class="pill busy">degraded</span>' in page
    assert "pictures fail: entrance" in page
    site.worker_status = replace(site.worker_status, ready=False, state="failed", reason="load_failed")
    assert '<span class="pill bad">failed</span>' in ask(server, "/system").text


def test_the_system_page_shows_batch_size_and_load(server: WebServer, site: Site) -> None:
    page = ask(server, "/system").text
    assert "2.1 on average" in page
    found = re.search(r"<dd>([0-9.]+) on ([0-9]+) processors?</dd>", page)
    assert found
    assert re.search(r"Memory of ppewatch</dt><dd>[0-9.]+ [MG]B", page)
    site.worker_status = WorkerStatus(ready=False, device="cpu")
    assert "on average" not in ask(server, "/system").text


@pytest.mark.parametrize(
    ("path", "status", "words", "leads_to"),
    [
        ("/nothing", 404, "Not Found", "/"),
        ("/alerts/01JD3Z6Q8YB2M4T7VN5C9K0XWZ", 404, "There is no such alert, or no longer", "/alerts"),
        ("/alerts?since=yesterday", 400, "Times are written as", "/alerts"),
        ("/compliance?from=2026-11-02&to=2026-11-01", 400, "From comes before to", "/compliance"),
    ],
)
def test_people_get_a_page_that_says_what_is_wrong(
    server: WebServer, path: str, status: int, words: str, leads_to: str
) -> None:
    answer = ask(server, path, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/html")
    assert words in answer.text
    assert f'<p class="pages"><a href="{leads_to}">' in answer.text
    # programs get what they got
    assert "error" in ask(server, path).json


def test_a_page_that_cannot_be_made_says_why(server: WebServer, site: Site) -> None:
    site.failure = StreamerError("the outbox cannot be read <now>")
    answer = ask(server, "/", accept="text/html")
    assert answer.status == 503
    assert "The outbox cannot be read &lt;now&gt;." in answer.text
    assert "error" in ask(server, "/api/cameras", accept="text/html").json


def test_readiness_names_the_late_stages(server: WebServer, site: Site) -> None:
    ready = {"status": "ready", "reason": "", "detail": "", "late": [], "stages": {}}
    assert (ask(server, "/readyz").status, ask(server, "/readyz").json) == (200, ready)
    site.stage_list[0] = replace(site.stage_list[0], late=True, last_beat_age_s=31.0)
    gate = StageStatus(
        name="camera gate",
        late=True,
        last_beat_age_s=None,
        limit_s=5,
        state="restarting",
        reason="stage_died",
    )
    site.stage_list.append(gate)
    site.health_status = replace(
        site.health_status, state="unready", reason="stage_hangs", detail="stage inference: late"
    )
    answer = ask(server, "/readyz")
    assert answer.status == 503
    assert answer.json == {
        "status": "late",
        "reason": "stage_hangs",
        "detail": "stage inference: late",
        "late": ["inference", "camera gate"],
        "stages": {
            "inference": {"state": "beating", "reason": ""},
            "camera gate": {"state": "restarting", "reason": "stage_died"},
        },
    }
    assert "Not keeping up: inference, camera gate" in ask(server, "/").text
    assert ask(server, "/healthz").status == 200
    site.stage_list.clear()
    site.health_status = replace(site.health_status, state="starting", reason="models_loading")
    assert (ask(server, "/readyz").status, ask(server, "/readyz").json["status"]) == (503, "starting")


def test_it_is_not_ready_without_models_though_every_stage_beats(server: WebServer, site: Site) -> None:
    site.health_status = replace(site.health_status, state="unready", reason="models_not_ready")
    answer = ask(server, "/readyz")
    assert (answer.status, answer.json["status"], answer.json["reason"]) == (
        503,
        "unready",
        "models_not_ready",
    )
    assert metrics(server)["ppewatch_ready", frozenset()] == 0


def test_it_is_not_alive_once_it_has_given_up(server: WebServer, site: Site) -> None:
    assert (ask(server, "/healthz").status, ask(server, "/healthz").json) == (200, {"status": "ok"})
    site.health_status = replace(
        site.health_status,
        state="failed",
        reason="stage_hangs",
        detail="stage inference: hangs",
        hopeless=True,
    )
    answer = ask(server, "/healthz")
    assert (answer.status, answer.json) == (503, {"status": "failed", "reason": "stage_hangs"})
    assert (ask(server, "/readyz").status, ask(server, "/readyz").json["status"]) == (503, "failed")
    assert "Giving up: stage inference: hangs" in ask(server, "/").text


def test_json_follows_its_published_description(server: WebServer, site: Site) -> None:
    description = ask(server, "/api/openapi.json").json
    assert description["openapi"].startswith("3.1")
    read = {path: operations for path, operations in description["paths"].items() if "get" in operations}
    assert len(read) >= 12
    for path, operations in read.items():
        filled = path.replace("{alert_id}", FIRST_ALERT).replace("{camera}", "entrance")
        answer = ask(server, f"{filled}?camera=entrance" if path == "/api/live" else filled)
        assert answer.status == 200, path
        ((media_type, content),) = operations["get"]["responses"]["200"]["content"].items()
        assert answer.headers["content-type"] == media_type
        if "schema" in content:
            schema = content["schema"] | {"components": description["components"]}
            validator = jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
            )
            validator.validate(answer.json)
            assert answer.json


def test_json_writes_times_as_utc_text(server: WebServer, site: Site) -> None:
    open_alert, ended = ask(server, "/api/alerts").json
    assert open_alert["started_at"] == utc_text(site.alert_list[0].started_at)
    assert open_alert["ended_at"] is None
    assert open_alert["missing"] == ["face_mask"]
    assert ended["end_reason"] == "left_view"
    assert utc_text(1_795_245_242.48) == "2026-11-21T07:14:02.480Z"


def test_the_number_of_alerts_is_limited(server: WebServer) -> None:
    assert len(ask(server, "/api/alerts?limit=1").json) == 1
    for bad in ("0", "201", "-1", "x", "", "1e2", "99999999999999999999", "%D9%A1"):
        answer = ask(server, f"/api/alerts?limit={bad}")
        assert answer.status == 400, bad
        assert "1 to 200" in answer.json["error"]


def test_a_snapshot_is_the_stored_jpeg_and_is_sent_once(server: WebServer, site: Site) -> None:
    path = f"/api/alerts/{FIRST_ALERT}/snapshot"
    answer = ask(server, path)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.body == site.snapshots[FIRST_ALERT]
    again = ask(server, path, if_none_match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    site.snapshots[FIRST_ALERT] = jpeg_picture(90)
    assert ask(server, path, if_none_match=answer.headers["etag"]).status == 200


def test_a_thumbnail_is_the_same_picture_and_small(server: WebServer, site: Site) -> None:
    path = f"/api/alerts/{FIRST_ALERT}/thumbnail"
    answer = ask(server, path)
    picture, whole = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        for data in (answer.body, site.snapshots[FIRST_ALERT])
    )
    assert picture.shape == (270, 480, 3)
    assert np.abs(picture.mean((0, 1)) - whole.mean((0, 1))).max() < 2
    assert ask(server, path, if_none_match=answer.headers["etag"]).status == 304
    assert ask(server, path).body == answer.body
    # what is small already, or no picture at all, stays as it is
    for body in (answer.body, b"no picture"):
        site.snapshots[FIRST_ALERT] = body
        assert ask(server, path).body == body


@pytest.mark.parametrize(
    "alert_id",
    [
        "01JD0000000000000000000000",
        "..",
        "%2e%2e",
        "../secret",
        "..%2fsecret",
        "..%5csecret",
        "%2fetc%2fpasswd",
        "a%00b",
        "a.jpg",
        "a" * 65,
        "a%0a",
        "-a",
        "%F0%9F%98%80",
    ],
)
def test_only_ids_reach_the_source(server: WebServer, site: Site, alert_id: str) -> None:
    asked: list[str] = []

    def snapshot(wanted: str) -> None:
        asked.append(wanted)

    site.snapshot = snapshot  # type: ignore[method-assign]
    assert ask(server, f"/api/alerts/{alert_id}/snapshot").status == 404
    assert asked in ([], ["01JD0000000000000000000000"])


@pytest.mark.parametrize(
    "path", ["/assets/../app.py", "/assets/%2e%2e%2fapp.py", "/assets/page.html", "/assets/"]
)
def test_only_named_files_are_served(server: WebServer, path: str) -> None:
    assert ask(server, path).status == 404


def test_metrics_carry_the_daemons_numbers(server: WebServer, site: Site) -> None:
    values = metrics(server)

    def value(name: str, **labels: str) -> float:
        return values[name, frozenset(labels.items())]

    assert value("ppewatch_camera_state", camera="entrance", state="online") == 1
    assert value("ppewatch_camera_state", camera="entrance", state="stalled") == 0
    assert value("ppewatch_camera_reconnects_total", camera="loading-dock") == 3
    assert value("ppewatch_camera_held_looks_total", camera="entrance") == 41
    assert value("ppewatch_camera_fitness", camera="entrance", code="moved") == 1
    assert value("ppewatch_camera_fitness", camera="entrance", code="frozen") == 0
    assert value("ppewatch_camera_head_height_pixels", camera="entrance", zone="desk") == 17.4
    assert value("ppewatch_camera_heads_too_small_ratio", camera="entrance", zone="") == 0.25
    assert value("ppewatch_camera_last_frame_age_seconds", camera="entrance") == pytest.approx(0.21)
    assert ("ppewatch_camera_last_frame_age_seconds", frozenset({("camera", "store")})) not in values
    assert value("ppewatch_stage_late", stage="inference") == 0
    assert value("ppewatch_worker_failed_batches_total") == 1
    assert value("ppewatch_worker_latency_seconds") == pytest.approx(0.142)
    assert value("ppewatch_model_info", model="retinaface", digest="sha256:" + "ab" * 32) == 1
    assert value("ppewatch_outbox_pending_messages") == 1
    assert value("ppewatch_broker_connected") == 1
    assert value("ppewatch_webhook_up", webhook="desk") == 1
    assert value("ppewatch_webhook_up", webhook="archive") == 0
    assert value("ppewatch_webhook_pending_events", webhook="archive") == 4
    assert value("ppewatch_webhook_dropped_events_total", webhook="archive") == 2
    assert value("ppewatch_build_info", version="1.2.3") == 1
    assert value("ppewatch_process_resident_memory_bytes") > 1e6
    assert all(name.startswith("ppewatch_") for name, _ in values)
    site.outbox_status = OutboxStatus(connected=False, broker="127.0.0.1:1883", dropped=7)
    assert metrics(server)["ppewatch_outbox_dropped_messages_total", frozenset()] == 7


def test_a_disk_that_takes_no_alerts_is_told_wherever_one_looks(server: WebServer, site: Site) -> None:
    assert "held in memory" not in ask(server, "/system").text
    site.outbox_status = OutboxStatus(
        connected=True, broker="127.0.0.1:1883", held=3, lost=2, problem="no room for alerts"
    )
    values = metrics(server)
    assert values["ppewatch_outbox_held_alerts", frozenset()] == 3
    assert values["ppewatch_outbox_lost_alerts_total", frozenset()] == 2
    assert "3 held in memory, 2 lost: no room for alerts" in ask(server, "/system").text
    told = ask(server, "/api/outbox").json
    assert (told["held"], told["lost"], told["problem"]) == (3, 2, "no room for alerts")


def test_a_source_that_cannot_tell_is_a_503_with_its_reason(server: WebServer, site: Site) -> None:
    site.failure = StreamerError("the outbox is being repaired")
    for path in ("/", "/part/system", "/api/cameras", "/metrics"):
        answer = ask(server, path)
        assert answer.status == 503, path
        assert answer.json == {"error": "the outbox is being repaired"}
    assert ask(server, "/healthz").status == 200
    site.failure = None
    assert ask(server, "/").status == 200


def test_start_and_stop(site: Site, server: WebServer) -> None:
    with pytest.raises(WebServerError, match="already being served"):
        server.start()
    port = int(server.address.rpartition(":")[2])
    twin = WebServer(server._app, "127.0.0.1", port)
    with pytest.raises(
        WebServerError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"
    ):
        twin.start()
    assert ask(server, "/healthz").status == 200
    server.stop()
    server.stop()
    with pytest.raises(WebServerError, match="not being served"):
        _ = server.address
    twin.start()
    assert ask(twin, "/healthz").status == 200
    twin.stop()
