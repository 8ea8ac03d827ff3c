"""The documented reason codes are those of the code, all of them and no others."""

import ast
import inspect
import re
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

import pytest

from rules import EndReason
from streamer.alerts import publisher
from streamer.alerts.errors import BrokerError
from streamer.alerts.publisher_status import Link
from streamer.cluster.accounts import MOVING_CODE
from streamer.commands import ExitCode
from streamer.fitness.findings import Code
from streamer.inference.worker_status import WorkerReason, WorkerState
from streamer.ingest import camera
from streamer.ingest.errors import IngestError
from streamer.ingest.status import StreamState
from streamer.service.stage_health import StageReason, StageState
from streamer.status.health import HealthReason, HealthState
from streamer.webhooks.posting import Verdict
from streamer.webhooks.state import WebhookState

PAGE = Path(__file__).parents[2] / "docs" / "reason-codes.md"


def documented() -> dict[str, list[str]]:
    sections = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {
        title: re.findall(r"^\| `([^`]*)` \|", text, flags=re.MULTILINE)
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    }


def codes_of_errors(root: type) -> set[str]:
    return {root.code}.union(*(codes_of_errors(kind) for kind in root.__subclasses__()))


def words(node: ast.AST) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def codes_set_in(module: object, attribute: str) -> set[str]:
    """String literals that are assigned to ``.code``, ``._code``, or given to ``_set_state`` as the code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Attribute) and target.attr == attribute for target in node.targets
        ):
            found |= words(node.value)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "_set_state"
            and len(node.args) > 1
        ):
            found |= words(node.args[1])
    return found


def values(kinds: Iterable[type[Enum]]) -> set[str]:
    return {str(member.value) for kind in kinds for member in kind} - {""}


@pytest.mark.parametrize(
    ("section", "codes"),
    [
        ("The daemon: state", values([HealthState])),
        ("The daemon: reason", values([HealthReason, StageReason])),
        ("A stage: state", values([StageState])),
        ("The models: state", values([WorkerState])),
        ("The models: reason", values([WorkerReason])),
        (
            "The broker: reason",
            codes_of_errors(BrokerError) | codes_set_in(publisher, "code") | {Link().code},
        ),
        ("A webhook: state", values([WebhookState])),
        ("A webhook: reason", values([Verdict])),
        ("A camera: state", values([StreamState])),
        ("A camera: reason", codes_of_errors(IngestError) | codes_set_in(camera, "_code") | {MOVING_CODE}),
        ("A camera: fitness", values([Code])),
        ("An alert: end_reason", values([EndReason])),
        ("Exit codes", values([ExitCode])),
    ],
)
def test_each_code_is_documented_once_and_none_that_is_not(section: str, codes: set[str]) -> None:
    assert sorted(documented()[section]) == sorted(codes)


def test_every_section_is_held_against_the_code() -> None:
    assert len(documented()) == 13
