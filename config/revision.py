"""The revision of a site's settings: equal for settings that mean the same, however they are written."""

import json
from hashlib import sha256

from config.site import SiteSettings


def config_revision(settings: SiteSettings) -> str:
    """``sha256:<hex>`` over the canonical settings.

    Values of secrets do not enter (only whether one is set), nor does ``state_dir``, which is the machine's
    matter.
    """
    values = settings.model_dump(mode="json", by_alias=True, exclude={"state_dir"})
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{sha256(canonical.encode()).hexdigest()}"
