"""From a site's YAML file to its settings."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from config.document import Document, read_document
from config.errors import ConfigError
from config.problems import problems_of
from config.secret_text import Surroundings
from config.site import SiteSettings


def load_site(path: str | Path, environ: Mapping[str, str] | None = None) -> SiteSettings:
    """The settings of the site file at ``path``; secrets are resolved against ``environ`` (``os.environ``).

    Raises ``ConfigError`` with every problem found. Neither the settings nor the error show a secret.
    """
    path = Path(path)
    return settings_of(
        read_document(path), path.absolute().parent, os.environ if environ is None else environ
    )


def settings_of(
    document: Document, base_dir: Path, environ: Mapping[str, str], *, elsewhere: bool = False
) -> SiteSettings:
    """The settings that ``document`` says; relative paths start at ``base_dir``. Raises ``ConfigError``.

    ``elsewhere``: of a site on another machine, whose secrets are not looked for here.
    """
    around = Surroundings(environ=environ, base_dir=base_dir, elsewhere=elsewhere)
    try:
        return SiteSettings.model_validate(document.data, context={"surroundings": around})
    except ValidationError as error:
        problems = problems_of(error, document, around.seen)
    # outside of the handler: pydantic's error holds the input, and must not hang on to ours
    raise ConfigError(problems)
