"""Why a device tells nothing.

``streamer.errors.StreamerError``
└── ``OnvifError``: a device could not be asked, or its answer not be used
    ├── ``OnvifRefusedError``: it wants a user and password, or others
    └── ``OnvifAnswerError``: what it answered is no answer to what was asked
"""

from streamer.errors import StreamerError


class OnvifError(StreamerError):
    """A device could not be asked, or its answer not be used."""


class OnvifRefusedError(OnvifError):
    """It wants a user and password, or others."""


class OnvifAnswerError(OnvifError):
    """What it answered is no answer to what was asked."""
