"""What is published about the settings agrees with the settings."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import jsonschema
import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import config
from config import load_site, site_schema
from config.base import Settings
from config.reference import REFERENCE_FILE, reference_text
from config.schema import SCHEMA_FILE, schema_text
from config.site import SiteSettings

EXAMPLE = Path(config.__file__).with_name("example.yaml")
SECRETS = {"MQTT_PASSWORD": "broker-pw", "GATE_PASSWORD": "gate-pw"}


def models_below(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models_below(field.annotation)
    for part in get_args(kind):
        yield from models_below(part)


MODELS = sorted(set(models_below(SiteSettings)), key=lambda model: model.__name__)
FIELDS = [
    pytest.param(model, name, field, id=f"{model.__name__}.{name}")
    for model in MODELS
    for name, field in model.model_fields.items()
]


def bounds_of(field: FieldInfo) -> set[str]:
    kinds = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")
    return {kind for item in field.metadata for kind in kinds if getattr(item, kind, None) is not None}


def test_all_models_are_found():
    assert len(MODELS) >= 16
    assert all(issubclass(model, Settings) for model in MODELS)


@pytest.mark.parametrize(("model", "name", "field"), FIELDS)
def test_every_field_is_described_and_bounded(model, name, field):
    assert field.description, "has no description"
    assert field.description.endswith((".", "?")), "is no sentence"
    assert len(field.description) >= 15
    kinds = {field.annotation, *get_args(field.annotation)}
    bounds = bounds_of(field)
    if kinds & {int, float}:
        assert bounds & {"ge", "gt"}, "has no lower bound"
        assert bounds & {"le", "lt"}, "has no upper bound"
    elif str in kinds or get_origin(field.annotation) is tuple:
        assert "max_length" in bounds, "has no longest length"


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_frozen_and_forbids_unknown_keys(model):
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"
    assert model.__doc__


def test_the_example_loads_and_shows_every_key():
    site = load_site(EXAMPLE, SECRETS)
    assert site.secrets() == set(SECRETS.values())
    text = EXAMPLE.read_text()
    for model in MODELS:
        for name, field in model.model_fields.items():
            key = field.alias or name
            assert re.search(rf"(^|[ {{#-]){key}:", text, re.MULTILINE), (
                f"the example lacks {model.__name__}.{key}"
            )


def test_the_values_of_the_example_are_the_defaults_where_it_says_so():
    example = yaml.safe_load(EXAMPLE.read_text())
    small = SiteSettings.model_validate({"site": {"name": "x"}, "cameras": {"a": {"url": "/a"}}})
    loaded = load_site(EXAMPLE, SECRETS)
    for key in (
        "decode",
        "motion",
        "snapshots",
        "reconnect",
        "ingest",
        "inference",
        "retention",
        "http",
        "fps",
    ):
        assert key in example
        assert getattr(loaded, key) == getattr(small, key), key


def test_the_schema_file_is_current():
    assert SCHEMA_FILE.read_text() == schema_text(), "run: python -m config"


def test_the_reference_is_current_and_names_every_key():
    text = REFERENCE_FILE.read_text()
    assert text == reference_text(), "run: python -m config"
    for model in MODELS:
        for name, field in model.model_fields.items():
            assert f"| `{field.alias or name}`" in text
            assert (field.description or "").replace("|", "\\|") in text


def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(site_schema())
    return jsonschema.Draft202012Validator(site_schema())


def test_the_example_is_valid_by_the_schema():
    validator().validate(yaml.safe_load(EXAMPLE.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        {"fps": 99},
        {"fps": "fast"},
        {"unknown": 1},
        {"priority": "hihg"},
        {"input_size": 1000},
        {"motion": {"hold": "5 weeks"}},
        {"motion": {"hold": 601}},
        {"snapshots": {"bytes": "2 boxes"}},
        {"cameras": {}},
        {"cameras": {"a b": {"url": "/a"}}},
        {"cameras": {"a": {}}},
        {"cameras": {"a": {"url": "/a", "password": ["x"]}}},
        {"cameras": {"a": {"url": "/a", "zones": {"z": {"coordinates": "0,0, x"}}}}},
        {"rules": [{"name": "r", "where": ["a"], "require": ["boots"]}]},
        {"rules": [{"name": "r", "where": ["a"], "require": ["hard_hat"], "schedule": {"from": "6h"}}]},
        {"http": {"listen": 8787}},
        {"models": ["yolo"]},
        {"site": {}},
    ],
)
def test_schema_and_models_refuse_the_same(change):
    data = {"site": {"name": "y"}, "cameras": {"a": {"url": "/a"}}, **change}
    assert not validator().is_valid(data)
    with pytest.raises(ValueError, match="validation error"):
        SiteSettings.model_validate(data)


@pytest.mark.parametrize(
    "change",
    [
        {"input_size": "auto", "models": "auto", "motion": {"hold": "1.5m", "enabled": True}},
        {"input_size": 640, "models": ["retinaface"], "snapshots": {"bytes": 150000}},
        {"cameras": {"a": {"url": "/a", "user": None, "password": 1234}}},
        {"cameras": {"a": {"url": "/a", "zones": {"z": {"coordinates": [[0, 0], [1, 0], [1, 1]]}}}}},
        {
            "rules": [
                {"name": "r", "where": "a", "require": "hard_hat", "schedule": [{"days": ["mon", "tue-fri"]}]}
            ]
        },
        {"mqtt": {"protocol": 5}},
        {"mqtt": {"protocol": "3.1.1", "user": "u", "password": "file:/x"}},
    ],
)
def test_schema_and_models_accept_the_same(change, tmp_path):
    (tmp_path / "x").write_text("secret")
    data = {"site": {"name": "y"}, "cameras": {"a": {"url": "/a"}}, **change}
    validator().validate(data)
    SiteSettings.model_validate(json.loads(json.dumps(data).replace("file:/x", f"file:{tmp_path}/x")))


def test_a_changed_copy_of_the_schema_changes_nothing():
    site_schema()["properties"].clear()
    assert site_schema()["properties"]
