"""PyYAML's safe loader, with a limit to how deep brackets nest: its time grows with the square of their number."""

from typing import Any, Final

import yaml

#: Deeper flow collections (``[[[...``) are none that people write.
MAX_FLOW_DEPTH: Final = 64


class TooDeepError(yaml.YAMLError):
    """Brackets are nested too deep."""


class BoundedLoader(yaml.SafeLoader):
    """Raises ``TooDeepError`` at the bracket that is one too many, before the rest of the file is looked at."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 - the base class calls it so
        """See the base class."""
        if self.flow_level >= MAX_FLOW_DEPTH:
            raise TooDeepError(f"brackets are nested more than {MAX_FLOW_DEPTH} deep")
        super().fetch_flow_collection_start(TokenClass)


def load_bounded(text: str) -> Any:
    """The one document in ``text``, as ``yaml.safe_load`` gives it. Raises ``yaml.YAMLError``, and ``TooDeepError``."""
    loader = BoundedLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
