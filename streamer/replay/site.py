"""A site of one camera and one rule, for a recording that belongs to no SITE.yaml."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from config import SiteSettings
from config.document import parse_document
from config.loading import settings_of

CAMERA = "clip"


def ad_hoc_site(*, require: Sequence[str], dwell: str, clear: str) -> SiteSettings:
    """The rule that everybody in the picture wears ``require``. Raises ``ConfigError`` on wrong durations."""
    text = yaml.safe_dump(
        {
            "site": {"name": "replay"},
            "cameras": {CAMERA: {"url": "recording"}},
            "rules": [
                {
                    "name": "required: " + ", ".join(require),
                    "where": [CAMERA],
                    "require": list(require),
                    "dwell": dwell,
                    "clear": clear,
                }
            ],
        }
    )
    return settings_of(parse_document(text.encode(), "arguments"), Path.cwd(), {})
