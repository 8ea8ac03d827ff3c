"""What the commands of this package end with: figures as JSON, and errors told in one line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.errors import ModelError


def exit_status_of(work: Callable[[], None]) -> int:
    """Do the work: 0; or say on standard error why it could not be done, or written: 1.

    Raises ``BrokenPipeError`` when nobody reads the figures any more, as every command does.
    """
    try:
        work()
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"{error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def write_json(file: Path, content: Any) -> None:
    """Write ``content`` for people too. Raises ``OSError``."""
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
