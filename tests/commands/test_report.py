"""``ppewatch report``: what managers print."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from alerts.alert_factory import make_alert
from commands.command_line import one_line_of, ppewatch

from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import AlertType
from streamer.history.buckets import BUCKET_S, Bucket, PersonSeconds, Place
from streamer.history.store import ComplianceHistory

#: Monday 2026-11-16 05:00 UTC, 06:00 in Brussels: the early shift begins.
MONDAY = datetime(2026, 11, 16, 5, tzinfo=UTC).timestamp()
SITE = """
site: {name: yard, timezone: Europe/Brussels}
cameras: {gate: {url: "rtsp://127.0.0.1/x", zones: {apron: {coordinates: "0,0, 1,0, 1,1"}}}}
rules:
  - name: hats <early>
    where: [gate/apron]
    require: [hard_hat]
    schedule: {days: mon-fri, from: "06:00", to: "14:00"}
  - name: hats late
    where: [gate/apron]
    require: [hard_hat]
    schedule: {days: mon-fri, from: "14:00", to: "22:00"}
"""


@pytest.fixture
def site(tmp_path):
    """A site with two shifts of counts and three alerts."""
    state = tmp_path / "state"
    path = tmp_path / "site.yaml"
    path.write_text(f"{SITE}\nstate_dir: {state}\n")
    with Outbox(state) as outbox:
        for number, after_s in enumerate((600, 4000, 9 * 3600)):
            alert = make_alert(
                f"A{number}",
                rule="hats <early>" if after_s < 8 * 3600 else "hats late",
                started_at=MONDAY + after_s,
                confirmed_at=MONDAY + after_s + 2,
            )
            outbox.enqueue(alert, None, at=alert.confirmed_at)
            if number < 2:
                ended_at = alert.started_at + 30 * (number + 1)
                end = replace(alert, type=AlertType.END, ended_at=ended_at, end_reason="worn")
                outbox.enqueue(end, None, at=ended_at)
    quarters = range(0, 16 * 3600, BUCKET_S)
    ComplianceHistory(state).add(
        Bucket(int(MONDAY) + start, Place("gate", zone, "hard_hat"), PersonSeconds(80.0, 10.0, 0.0, 10.0))
        for start in quarters
        for zone in ("", "apron")
    )
    return path


def test_it_sums_up_by_place_and_by_shift(site):
    done = ppewatch("report", str(site), "--from", "2026-11-16", "--to", "2026-11-16", "--json")
    told = json.loads(done.out)
    whole = told["whole"]
    assert [(row["zone"], row["worn_s"]) for row in whole["places"]] == [(None, 5120.0), ("apron", 5120.0)]
    assert whole["places"][1]["worn_share"] == pytest.approx(80 / 90)
    assert whole["places"][1]["unknown_share"] == pytest.approx(0.1)
    assert whole["rules"] == {
        "hats <early>": {"count": 2, "mean_s": 45.0},
        "hats late": {"count": 1, "mean_s": None},
    }
    early, late = told["shifts"]
    assert early["period"] == "mon-fri 06:00-14:00"
    assert (early["since"], late["until"]) == ("2026-11-16T05:00:00.000Z", "2026-11-16T21:00:00.000Z")
    assert [part["places"][1]["worn_s"] for part in (early, late)] == [2560.0, 2560.0]
    assert [part["places"][1]["alerts"]["count"] for part in (early, late)] == [2, 1]


def test_the_page_stands_alone_and_names_cannot_become_markup(site, tmp_path):
    target = tmp_path / "report.html"
    done = ppewatch("report", str(site), "--from", "2026-11-16", "--to", "2026-11-17", "--out", str(target))
    assert done.out.strip() == str(target)
    page = target.read_text()

    class Outside(HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag != "script"
            assert not {name for name, _ in attributes} & {"src", "href"}

    Outside().feed(page)
    assert "hats &lt;early&gt;" in page
    assert "<early>" not in page
    for text in ("Monday 16 November 2026", "gate / apron", "89 %", "10 %", "mon-fri 14:00-22:00"):
        assert text in page, text


def test_a_time_without_anybody_says_so(site):
    target = site.with_name("empty.html")
    ppewatch("report", str(site), "--from", "2026-10-01", "--to", "2026-10-02", "--out", str(target))
    assert "Nobody was counted" in target.read_text()


@pytest.mark.parametrize(
    ("days", "error"),
    [
        (("--from", "2026-11-17", "--to", "2026-11-16"), "--from comes before --to"),
        (("--from", "monday"), "is no day such as"),
        # the day after the last one of the calendar, and the week before the first, are reckoned with
        (("--to", "9999-12-31"), "not in the years 1970 to 9998"),
        (("--to", "0001-01-01"), "not in the years 1970 to 9998"),
    ],
)
def test_wrong_days_are_refused(site, days, error):
    done = ppewatch("report", str(site), *days)
    assert done.code == 2
    assert error in done.err


def test_a_folder_is_no_file_to_write(site, tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    done = ppewatch("report", str(site), "--out", str(folder))
    assert done.code == 2
    assert f"{folder} is a folder" in one_line_of(done)
    assert not list(tmp_path.glob(".*.part"))


def test_a_site_that_never_ran_has_nothing_to_report(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(f"{SITE}\nstate_dir: {tmp_path / 'nowhere'}\n")
    done = ppewatch("report", str(path))
    assert done.code == 1
    assert "has the daemon run there?" in one_line_of(done)
