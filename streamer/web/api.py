"""The JSON of ``/api``: how the status values are written, and their OpenAPI description."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from streamer.live.look import LiveLook
from streamer.web.compliance_rows import ComplianceRow
from streamer.web.status import (
    AlertDetail,
    AlertSummary,
    CameraStatus,
    HealthStatus,
    OutboxStatus,
    StageStatus,
    SuppressionStatus,
    WebhookStatus,
    WorkerStatus,
)
from streamer.zone_editor.errors import FieldProblem
from streamer.zone_editor.values import EditorState, SaveReport, TrialReport, Wish

DEFAULT_ALERTS: Final = 20
MAX_ALERTS: Final = 200

HEALTH: Final = TypeAdapter(HealthStatus)
CAMERAS: Final = TypeAdapter(tuple[CameraStatus, ...])
ALERTS: Final = TypeAdapter(tuple[AlertSummary, ...])
ALERT: Final = TypeAdapter(AlertDetail)
SUPPRESSIONS: Final = TypeAdapter(tuple[SuppressionStatus, ...])
STAGES: Final = TypeAdapter(tuple[StageStatus, ...])
WORKER: Final = TypeAdapter(WorkerStatus)
OUTBOX: Final = TypeAdapter(OutboxStatus)
WEBHOOKS: Final = TypeAdapter(tuple[WebhookStatus, ...])
LOOKS: Final = TypeAdapter(tuple[LiveLook, ...])
COMPLIANCE: Final = TypeAdapter(tuple[ComplianceRow, ...])
EDITOR: Final = TypeAdapter(EditorState)
TRIAL: Final = TypeAdapter(TrialReport)
SAVED: Final = TypeAdapter(SaveReport)
WISH: Final = TypeAdapter(Wish)
PROBLEM: Final = TypeAdapter(FieldProblem)

_ERROR: Final = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


def openapi(version: str, *, edits_zones: bool = False) -> dict[str, Any]:
    """The OpenAPI 3.1 description of everything under ``/api``."""
    adapters: dict[str, TypeAdapter[Any]] = {
        "Health": HEALTH,
        "Cameras": CAMERAS,
        "Alerts": ALERTS,
        "Alert": ALERT,
        "Suppressions": SUPPRESSIONS,
        "Stages": STAGES,
        "Worker": WORKER,
        "Outbox": OUTBOX,
        "Webhooks": WEBHOOKS,
        "Looks": LOOKS,
        "Compliance": COMPLIANCE,
        "Editor": EDITOR,
        "Trial": TRIAL,
        "Saved": SAVED,
        "Problem": PROBLEM,
    }
    paths = {
        **_alert_paths(),
        **_camera_paths(),
        **_compliance_paths(),
        **_change_paths(),
        **(_zone_paths() if edits_zones else {}),
    }
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"] |= _turned_away(operation["responses"])
    _, definitions = TypeAdapter.json_schemas(
        [
            *((name, "serialization", adapter) for name, adapter in adapters.items()),
            ("Wish", "validation", WISH),
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = dict(definitions.get("$defs", {}))
    return {
        "openapi": "3.1.0",
        "info": {"title": "ppewatch", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": schemas | {"Error": _ERROR},
            "securitySchemes": {"password": {"type": "http", "scheme": "basic"}},
        },
        # none is asked for where the settings have none
        "security": [{"password": []}, {}],
    }


def _alert_paths() -> dict[str, Any]:
    alert_id = _parameter("alert_id", {"type": "string"}, where="path")
    moment = {"type": "string", "format": "date-time"}
    limits = {"type": "integer", "minimum": 1, "maximum": MAX_ALERTS, "default": DEFAULT_ALERTS}
    picture = _get(
        "The alert's latest snapshot",
        {},
        parameters=[alert_id],
        errors={"404": "no such alert, or it has no snapshot"},
        media_type="image/jpeg",
    )
    picture["get"]["responses"]["304"] = {"description": "unchanged since the given ETag"}
    return {
        "/api/alerts": _get(
            "The latest episodes, newest first",
            _array("AlertSummary"),
            parameters=[
                _parameter("limit", limits),
                _parameter("before", {"type": "integer"}, "those older than the alert with this seq"),
                _parameter("camera", {"type": "string"}),
                _parameter("zone", {"type": "string"}),
                _parameter("rule", {"type": "string"}),
                _parameter("since", moment, "confirmed then or later; without a zone: the site's time"),
                _parameter("until", moment, "confirmed before"),
            ],
            errors={"400": "a value is not of its form"},
        ),
        "/api/alerts/{alert_id}": _get(
            "Everything that is kept of one alert",
            _reference("AlertDetail"),
            parameters=[alert_id],
            errors={"404": "no such alert, or no longer"},
        ),
        "/api/alerts/{alert_id}/snapshot": picture,
        "/api/alerts/{alert_id}/thumbnail": {
            "get": {**picture["get"], "summary": "The same, 480 pixels wide at most"}
        },
    }


def _camera_paths() -> dict[str, Any]:
    camera = _parameter("camera", {"type": "string"}, where="path")
    names = _parameter("camera", {"type": "array", "items": {"type": "string"}}, "once for each")
    return {
        "/api/cameras": _get("Every camera with its state", _array("CameraStatus")),
        "/api/live": _get(
            "What cameras show now; asking for one has it drawn for the next ten seconds",
            _array("LiveLook"),
            parameters=[names],
        ),
        "/api/live/{camera}/picture": _get(
            "The latest picture of a camera that is asked for, with everybody made unrecognisable",
            {},
            parameters=[camera],
            errors={"404": "no such camera, or no picture of it yet"},
            media_type="image/jpeg",
        ),
        "/api/suppressions": _get("The suppression areas in force", _array("SuppressionStatus")),
        "/api/health": _get("The daemon as a whole", _reference("HealthStatus")),
        "/api/stages": _get("The stages that must beat", _array("StageStatus")),
        "/api/worker": _get("The inference worker", _reference("WorkerStatus")),
        "/api/token": _get(
            "What a request that changes something carries in the header x-ppewatch-token",
            {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]},
        ),
        "/api/outbox": _get("Delivery to the broker", _reference("OutboxStatus")),
        "/api/webhooks": _get("Delivery to each webhook", _array("WebhookStatus")),
    }


def _compliance_paths() -> dict[str, Any]:
    parameters = [
        _parameter("by", {"enum": ["zone", "hour", "shift", "day"], "default": "zone"}),
        _parameter("from", {"type": "string", "format": "date"}, "first local day"),
        _parameter("to", {"type": "string", "format": "date"}, "last local day"),
    ]
    errors = {"400": "a value is not of its form"}
    return {
        "/api/compliance": _get(
            "Person-seconds by place and period",
            _array("ComplianceRow"),
            parameters=parameters,
            errors=errors,
        ),
        "/api/compliance.csv": _get(
            "The same as CSV (RFC 4180)",
            {},
            parameters=parameters,
            errors=errors,
            media_type="text/csv; charset=utf-8",
        ),
    }


def _change_paths() -> dict[str, Any]:
    text = {"type": "string"}
    said = {
        "ack": ("Somebody has seen the alert", ("by", "note")),
        "feedback": ("Somebody says whether the alert was right", ("verdict", "what", "by", "note")),
    }
    paths = {
        f"/api/alerts/{{alert_id}}/{kind}": _change(
            "post",
            summary,
            _parameter("alert_id", text, where="path"),
            {"type": "object", "properties": dict.fromkeys(keys, text), "additionalProperties": False},
        )
        for kind, (summary, keys) in said.items()
    }
    area = _parameter("area_id", text, where="path")
    paths["/api/suppressions/{area_id}"] = _change("delete", "Take a suppression area away", area)
    return paths


def _zone_paths() -> dict[str, Any]:
    camera = _parameter("camera", {"type": "string"}, where="path")
    version = _parameter("version", {"type": "string"}, where="path")
    revision = {
        "type": "object",
        "properties": {"revision": {"type": "string"}},
        "required": ["revision"],
    }
    zones = "/api/cameras/{camera}/zones"
    state = _get(
        "The zones of a camera, and the rules of the site as they can be changed there",
        _reference("EditorState"),
        parameters=[camera],
        errors={"404": "there is no such camera", "422": "the settings file is wrong"},
    )
    answers = {
        "put": (zones, "Write zones and rules into the settings file, and reload it", "SaveReport"),
        "post": (f"{zones}/try", "What zones and rules would have said of the last minute", "TrialReport"),
    }
    paths: dict[str, Any] = {zones: state}
    for method, (path, summary, answer) in answers.items():
        operation = _change(method, summary, camera, _reference("Wish"), answer=_reference(answer))
        paths[path] = {**paths.get(path, {}), **operation}
    paths["/api/site/versions/{version}/restore"] = _change(
        "post",
        "Make the settings file what it was before a change, and reload it",
        version,
        revision,
        answer=_reference("SaveReport"),
    )
    for path, method in (*((path, method) for method, (path, *_) in answers.items()), ([*paths][-1], "post")):
        paths[path][method]["responses"] |= {
            "400": _failure("the body is not of its form"),
            "422": _failure("the settings would be wrong; `problems` says where"),
            "429": _failure("too many at once"),
        }
    return paths


def _turned_away(responses: Mapping[str, Any]) -> dict[str, Any]:
    """What everything answers to who has not the right password, as text; ``responses``: its own."""
    others = responses.get("429", {})
    text = {"text/plain": {"schema": {"type": "string"}}}
    reason = "; ".join(filter(None, (others.get("description"), "too many wrong passwords: see Retry-After")))
    return {
        "401": {"description": "user and password are missing, or wrong", "content": text},
        "429": {"description": reason, "content": {**others.get("content", {}), **text}},
    }


def _failure(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": _reference("Error")}},
    }


def _change(
    method: str,
    summary: str,
    parameter: dict[str, Any],
    body: dict[str, Any] | None = None,
    answer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    failures = {
        "403": "not from our own page, without the token, or nothing may be changed",
        "404": "there is nothing of that name",
        "409": "refused, with the reason",
        "413": "a body that is too large",
    }
    token = _parameter("x-ppewatch-token", {"type": "string"}, "that of /api/token", where="header")
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [parameter, {**token, "required": True}],
        "responses": {
            "200": {
                "description": "done",
                "content": {"application/json": {"schema": answer or {"type": "object"}}},
            },
            **{status: _failure(description) for status, description in failures.items()},
        },
    }
    if body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return {method: operation}


def _parameter(name: str, schema: dict[str, Any], text: str = "", *, where: str = "query") -> dict[str, Any]:
    described = {"description": text} if text else {}
    return {"name": name, "in": where, "required": where == "path", "schema": schema, **described}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _reference(name)}


def _get(
    summary: str,
    schema: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    errors: dict[str, str] | None = None,
    media_type: str = "application/json",
) -> dict[str, Any]:
    failures = {"503": "the daemon cannot tell at the moment"} | (errors or {})
    content = {media_type: {"schema": schema} if schema else {}}
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}}
    for status, description in failures.items():
        responses[status] = _failure(description)
    return {"get": {"summary": summary, "parameters": parameters or [], "responses": responses}}
