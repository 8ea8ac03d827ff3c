"""Small versions of snapshots for the cards of the feed: a page of them decodes to megabytes and not to a hundred."""

from collections import OrderedDict
from threading import Lock
from typing import Final

import cv2
import numpy as np

#: Cards are up to 352 CSS pixels wide.
WIDTH_PX: Final = 480
_QUALITY: Final = 80
#: A few pages of the feed.
_MOST_KEPT: Final = 128


class Thumbnails:
    """Makes them, and keeps the latest by the digest of the picture that they were made of. Any thread may call."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def of(self, jpeg: bytes, digest: str) -> bytes:
        """A JPEG ``WIDTH_PX`` wide at most; the picture itself where it is no wider, or cannot be read as one."""
        with self._lock:
            known = self._kept.get(digest)
            if known is not None:
                self._kept.move_to_end(digest)
                return known
        made = _smaller(jpeg)
        with self._lock:
            self._kept[digest] = made
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return made


def _smaller(jpeg: bytes) -> bytes:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if picture is None or picture.shape[1] <= WIDTH_PX:
        return jpeg
    height = max(1, round(picture.shape[0] * WIDTH_PX / picture.shape[1]))
    small = cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes() if done else jpeg
