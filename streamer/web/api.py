"""The JSON of ``/api``: how the status values are written, and their OpenAPI description."""

from typing import Any, Final

from pydantic import TypeAdapter

from streamer.web.status import AlertSummary, CameraStatus, OutboxStatus, StageStatus, WorkerStatus

DEFAULT_ALERTS: Final = 20
MAX_ALERTS: Final = 200

CAMERAS: Final = TypeAdapter(tuple[CameraStatus, ...])
ALERTS: Final = TypeAdapter(tuple[AlertSummary, ...])
STAGES: Final = TypeAdapter(tuple[StageStatus, ...])
WORKER: Final = TypeAdapter(WorkerStatus)
OUTBOX: Final = TypeAdapter(OutboxStatus)

_ERROR: Final = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


def openapi(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 description of everything under ``/api`` and of the health endpoints."""
    adapters: dict[str, TypeAdapter[Any]] = {
        "Cameras": CAMERAS,
        "Alerts": ALERTS,
        "Stages": STAGES,
        "Worker": WORKER,
        "Outbox": OUTBOX,
    }
    _, definitions = TypeAdapter.json_schemas(
        [(name, "serialization", adapter) for name, adapter in adapters.items()],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = dict(definitions.get("$defs", {}))
    paths = {
        "/api/cameras": _get("Every camera with its state", _array("CameraStatus")),
        "/api/alerts": _get(
            "The latest episodes, newest first",
            _array("AlertSummary"),
            parameters=[
                {
                    "name": "limit",
                    "in": "query",
                    "schema": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_ALERTS,
                        "default": DEFAULT_ALERTS,
                    },
                }
            ],
            errors={"400": "limit is not a number in its range"},
        ),
        "/api/alerts/{alert_id}/snapshot": _snapshot(),
        "/api/stages": _get("The stages that must beat", _array("StageStatus")),
        "/api/worker": _get("The inference worker", _reference("WorkerStatus")),
        "/api/outbox": _get("Delivery to the broker", _reference("OutboxStatus")),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "ppewatch", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": schemas | {"Error": _ERROR}},
    }


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _reference(name)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _get(
    summary: str,
    schema: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    errors: dict[str, str] | None = None,
) -> dict[str, Any]:
    failures = {"503": "the daemon cannot tell at the moment"} | (errors or {})
    responses: dict[str, Any] = {"200": {"description": summary, "content": _json(schema)}}
    for status, description in failures.items():
        responses[status] = {"description": description, "content": _json(_reference("Error"))}
    return {"get": {"summary": summary, "parameters": parameters or [], "responses": responses}}


def _snapshot() -> dict[str, Any]:
    operation = _get(
        "The alert's latest snapshot",
        {},
        parameters=[{"name": "alert_id", "in": "path", "required": True, "schema": {"type": "string"}}],
        errors={"404": "no such alert, or it has no snapshot"},
    )
    operation["get"]["responses"]["200"]["content"] = {"image/jpeg": {}}
    operation["get"]["responses"]["304"] = {"description": "unchanged since the given ETag"}
    return operation
