"""``python -m config`` writes the files that follow from the models: the JSON Schema and the reference."""

from config.reference import REFERENCE_FILE, reference_text
from config.schema import SCHEMA_FILE, schema_text

SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
REFERENCE_FILE.write_text(reference_text(), encoding="utf-8")
