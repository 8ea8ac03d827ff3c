"""Zones changed over HTTP: by the page's own script, by one who is logged in, within bounds, and by nobody else."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
from http_client import Answer, ask
from judging.site_of_one import START, face
from web_site import Site
from zone_editor.edited_site import SECRETS, TEXT, WIDE, EditedSite

from streamer.web.app import create_app
from streamer.web.body_limit import MAX_BODY_BYTES
from streamer.web.credentials import Credentials
from streamer.web.server import WebServer
from streamer.web.status import CameraStatus

BASIC = "Basic " + base64.b64encode(b"operator:password").decode()
ZONES = "/api/cameras/gate/zones"


@dataclass
class Edited:
    """A dashboard with a zone editor over a real file."""

    server: WebServer
    site: EditedSite

    def get(self, path: str, **headers: str) -> Answer:
        return ask(self.server, path, authorization=BASIC, **headers)

    def send(
        self, path: str, body: object, *, method: str = "POST", token: str | None = None, **headers: str
    ) -> Answer:
        token = self.get("/api/token").json["token"] if token is None else token
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return ask(
            self.server,
            path,
            method=method,
            content=content,
            authorization=BASIC,
            x_ppewatch_token=token,
            **headers,
        )

    def wish(self, **changes: object) -> dict[str, object]:
        """The zone over the whole picture."""
        state = self.get(ZONES).json
        return {
            "revision": state["revision"],
            "zones": [{**state["zones"][0], "corners": WIDE, **changes}],
        }


@pytest.fixture
def edited(site: Site, tmp_path: Path) -> Iterator[Edited]:
    site.camera_list = [
        CameraStatus(camera=name, state="online", since=site.now) for name in ("gate", "door")
    ]
    file = EditedSite(tmp_path / "site.yaml")
    for number in range(50):
        file.looks.take("gate", face(number / 5), START + number / 5)
    app = create_app(
        site,
        site_name="yard",
        version="1",
        credentials=Credentials("operator", "password"),
        zone_editor=file.editor,
    )
    with WebServer(app, "127.0.0.1", 0) as server:
        yield Edited(server, file)


def test_a_zone_is_tried_saved_and_brought_back(edited: Edited) -> None:
    tried = edited.send(f"{ZONES}/try", edited.wish())
    assert tried.status == 200
    assert [alert["zone"] for alert in tried.json["alerts"]] == ["apron"]
    assert tried.json["present"] == []
    assert edited.site.text == TEXT

    saved = edited.send(ZONES, edited.wish(), method="PUT")
    assert (saved.status, saved.json["in_force"]) == (200, True)
    assert '"0,0, 1,0, 1,1, 0,1"' in edited.site.text

    state = edited.get(ZONES).json
    assert state["revision"] == saved.json["revision"]
    restore = f"/api/site/versions/{state['versions'][0]['version']}/restore"
    assert edited.send(restore, {"revision": "old"}).status == 409
    back = edited.send(restore, {"revision": state["revision"]})
    assert (back.status, edited.site.text) == (200, TEXT)


def test_answers_follow_their_published_description(edited: Edited) -> None:
    description = edited.get("/api/openapi.json").json
    for path, method, answer in (
        ("/api/cameras/{camera}/zones", "get", edited.get(ZONES)),
        ("/api/cameras/{camera}/zones/try", "post", edited.send(f"{ZONES}/try", edited.wish())),
        ("/api/cameras/{camera}/zones", "put", edited.send(ZONES, edited.wish(), method="PUT")),
    ):
        content = description["paths"][path][method]["responses"]["200"]["content"]["application/json"]
        schema = content["schema"] | {"components": description["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json)
    wanted = description["paths"]["/api/cameras/{camera}/zones"]["put"]["requestBody"]["content"]
    schema = wanted["application/json"]["schema"] | {"components": description["components"]}
    jsonschema.Draft202012Validator(schema).validate(edited.wish())


def test_refusals_follow_their_published_description(edited: Edited) -> None:
    described = edited.get("/api/openapi.json").json["paths"]["/api/cameras/{camera}/zones"]["put"][
        "responses"
    ]
    refused = {
        "401": ask(edited.server, ZONES, method="PUT", content=b"{}"),
        "400": edited.send(ZONES, {}, method="PUT"),
        "403": edited.send(ZONES, edited.wish(), method="PUT", token="guessed"),
        "404": edited.send("/api/cameras/nowhere/zones", edited.wish(), method="PUT"),
        "413": edited.send(ZONES, {"revision": "x" * MAX_BODY_BYTES}, method="PUT"),
    }
    for status, answer in refused.items():
        assert str(answer.status) == status
        assert answer.headers["content-type"].partition(";")[0] in described[status]["content"], status


@pytest.mark.parametrize(("path", "method"), [(ZONES, "PUT"), (f"{ZONES}/try", "POST")])
def test_nothing_is_changed_but_from_our_own_page(edited: Edited, path: str, method: str) -> None:
    wish = edited.wish()
    body = json.dumps(wish).encode()
    assert ask(edited.server, path, method=method, content=body).status == 401
    assert edited.send(path, wish, method=method, token="guessed").status == 403
    assert edited.send(path, wish, method=method, token="").status == 403
    for foreign in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert edited.send(path, wish, method=method, **foreign).status == 403
    assert edited.get(f"{path}?revision={wish['revision']}", sec_fetch_site="cross-site").status == 403
    assert edited.site.text == TEXT


def test_what_is_wrong_is_told_by_field(edited: Edited) -> None:
    crossed = edited.wish(corners=[[0, 0], [1, 1], [1, 0], [0, 1]])
    answer = edited.send(ZONES, crossed, method="PUT")
    assert answer.status == 422
    (problem,) = answer.json["problems"]
    assert (problem["zone"], problem["field"]) == ("apron", "coordinates")
    assert "cross" in problem["message"]
    edited.site.path.write_text(TEXT + "# by hand\n")
    answer = edited.send(ZONES, crossed, method="PUT")
    assert (answer.status, answer.json["conflict"]) == (409, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"revision": "x"}',
        b'{"revision": "x", "zones": [], "more": 1}',
        b'{"revision": "x", "zones": [{"was": null, "name": "a", "corners": [[0, NaN]], "anchor": "feet"}]}',
        b'{"revision": "x", "zones": [{"was": null, "name": "\\ud800", "corners": [], "anchor": "feet"}]}',
        b'{"revision": "x", "zones": [{"was": null, "name": 5, "corners": [], "anchor": "feet"}]}',
        b'{"revision": "\xff", "zones": []}',
        b'{"revision": "x", "zones": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        json.dumps({"revision": "x", "zones": [], "removed_rules": ["x"] * 101}).encode(),
        json.dumps({"revision": "x" * 101, "zones": []}).encode(),
    ],
)
def test_what_is_no_wish_is_refused_without_being_quoted(edited: Edited, body: bytes) -> None:
    for path, method in ((ZONES, "PUT"), (f"{ZONES}/try", "POST")):
        answer = edited.send(path, body, method=method)
        assert answer.status == 400, answer.text
        assert len(answer.body) < 500
    assert edited.site.text == TEXT


def test_bodies_and_their_number_are_bounded(edited: Edited) -> None:
    assert edited.send(ZONES, b" " * 70_000, method="PUT").status == 413
    token = edited.get("/api/token").json["token"]
    answers = [edited.send(ZONES, b"{}", method="PUT", token=token) for _ in range(12)]
    assert {answer.status for answer in answers} == {400, 429}
    assert int(answers[-1].headers["retry-after"]) >= 1
    # reading, and what is not of this, goes on
    assert edited.get(ZONES).status == 200


def test_only_cameras_and_versions_that_exist_are_there(edited: Edited) -> None:
    for path in ("/api/cameras/none/zones", "/cameras/none/zones", "/cameras/..%2fgate/zones"):
        assert edited.get(path).status == 404, path
    assert edited.send("/api/cameras/none/zones", edited.wish(), method="PUT").status == 404
    for version in ("20200101T000000.000000Z", "..%2f..%2fsite", "x"):
        answer = edited.send(f"/api/site/versions/{version}/restore", {"revision": "x"})
        assert answer.status == 404, version
    assert edited.send("/api/site/versions/x/restore", b"[]").status == 400


def test_no_secret_of_the_file_is_told(edited: Edited) -> None:
    edited.site.path.write_text(TEXT.replace("${GATE_PASSWORD}", "written-secret-3"))
    edited.site.environ["PAGE_PASSWORD"] = SECRETS["PAGE_PASSWORD"]
    told = [edited.get(ZONES).text, edited.get("/cameras/gate/zones").text]
    told.append(edited.send(ZONES, edited.wish(name="no spaces"), method="PUT").text)
    told.append(edited.send(ZONES, edited.wish(), method="PUT").text)
    edited.site.path.write_text(TEXT.replace("rtsp://10.0.0.1/main", "rtsp://u:written-secret-3@[/"))
    told.append(edited.get(ZONES).text)
    assert "mended by hand" in told[-1]
    for secret in ("written-secret-3", *SECRETS.values()):
        assert not [text for text in told if secret in text]


def test_the_page_is_there_for_whoever_may_edit(edited: Edited, server: WebServer) -> None:
    text = edited.get("/cameras/gate/zones").text
    assert 'data-camera="gate"' in text
    assert '<a href="/cameras/door/zones"' in text
    assert 'href="/cameras/gate/zones"' in edited.get("/").text
    for name in (
        "zones.js",
        "zone_canvas.js",
        "zone_draft.js",
        "zone_forms.js",
        "zone_picture.js",
        "zones.css",
    ):
        assert edited.get(f"/assets/{name}").status == 200, name
    # without an editor it says what to set, and there is nothing behind it
    without = ask(server, "/cameras/gate/zones")
    assert "edit_zones: true" in without.text
    assert "zones.js" not in without.text
    assert ask(server, "/api/cameras/gate/zones").status == 404
    assert "/cameras/gate/zones" not in ask(server, "/").text
    assert "/api/cameras/{camera}/zones" not in ask(server, "/api/openapi.json").json["paths"]


def test_without_a_user_there_is_no_editor(site: Site, tmp_path: Path) -> None:
    file = EditedSite(tmp_path / "site.yaml")
    site.camera_list = [CameraStatus(camera="gate", state="online", since=site.now)]
    with WebServer(
        create_app(site, site_name="yard", version="1", zone_editor=file.editor), port=0
    ) as open_to_all:
        assert ask(open_to_all, ZONES).status == 404
        assert ask(open_to_all, ZONES, method="PUT", content=b"{}").status == 403
