"""Detections as COCO-style rows, one for each thing, as scripts and people read them."""

import json
from collections.abc import Iterator
from typing import IO, Any

from models.structures import FACE_CATEGORIES, Category, Detections
from streamer.outlines import outlines_of

Row = dict[str, Any]


def coco_rows(
    file_name: str, frame: int | None, detections: Detections, *, min_score: float
) -> Iterator[Row]:
    """Rows ``{"file_name", "category", "bbox": [x, y, w, h], "score"}`` in original pixels, best first.

    The score of a face is that of the category: the detector's confidence that there is a face times the
    classifier's probability that it wears the mask so. ``frame``, ``landmarks`` and ``segmentation`` (polygons
    ``[x1, y1, x2, y2, ...]`` around the thing's own pixels) are there where they apply.
    """
    scores = category_scores(detections)
    for index in sorted(range(len(detections)), key=lambda n: -scores[n]):
        if scores[index] < min_score:
            continue
        x1, y1, x2, y2 = (float(value) for value in detections.boxes_xyxy[index])
        row: Row = {
            "file_name": file_name,
            "category": Category(int(detections.class_ids[index])).label,
            "bbox": [round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)],
            "score": round(scores[index], 4),
        }
        if frame is not None:
            row["frame"] = frame
        if detections.landmarks_xy is not None and int(detections.class_ids[index]) in FACE_CATEGORIES:
            row["landmarks"] = [
                [round(float(x), 2), round(float(y), 2)] for x, y in detections.landmarks_xy[index]
            ]
        polygons = outlines_of(detections, index)
        if polygons:
            row["segmentation"] = [
                [round(value, 2) for corner in polygon for value in corner] for polygon in polygons
            ]
        yield row


def category_scores(detections: Detections) -> list[float]:
    """The score of each row's category, 0 to 1."""
    scores = [float(score) for score in detections.scores]
    if detections.face_mask_probs is not None:
        for index, class_id in enumerate(detections.class_ids):
            if int(class_id) in FACE_CATEGORIES:
                scores[index] *= float(detections.face_mask_probs[index].max())
    return scores


def row_text(row: Row) -> str:
    """A row for people: place, category, score, box."""
    place = row["file_name"] if "frame" not in row else f"{row['file_name']}#{row['frame']}"
    x, y, width, height = row["bbox"]
    return f"{place}  {row['category']:20} {row['score']:.2f}  {x:.0f},{y:.0f} {width:.0f}x{height:.0f}"


class JsonArray:
    """A JSON array written row by row, one a line, so that the rows of a long clip need no memory."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._before = "["

    def write(self, row: Row) -> None:
        """Add a row."""
        self._stream.write(f"{self._before}\n{json.dumps(row, ensure_ascii=False)}")
        self._before = ","

    def end(self) -> None:
        """Close the array; ``[]`` when there was no row."""
        self._stream.write("[]\n" if self._before == "[" else "\n]\n")
