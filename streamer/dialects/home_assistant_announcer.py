"""Announces a site to Home Assistant, and again whenever that has started anew."""

import logging
from threading import Lock
from typing import Final

from streamer.alerts.errors import OutboxError
from streamer.alerts.publisher import Publisher
from streamer.dialects.home_assistant import (
    AnnouncedSite,
    birth_topic,
    discovery_messages,
    with_gone_parts,
)

_log = logging.getLogger(__name__)

_BORN: Final = b"online"


class HomeAssistantAnnouncer:
    """Keeps the devices of a site announced below ``discovery_prefix``. Any thread may call.

    Make it before the publisher starts: it listens for Home Assistant's birth message.
    """

    def __init__(self, publisher: Publisher, *, discovery_prefix: str) -> None:
        self._publisher = publisher
        self._prefix = discovery_prefix
        self._lock = Lock()
        self._devices: dict[str, bytes] = {}
        self._site: AnnouncedSite | None = None
        publisher.subscribe_at(birth_topic(discovery_prefix), self._heard)

    def announce(self, site: AnnouncedSite) -> None:
        """Announce the site as it is now; devices of cameras that are gone are removed, and what went of the others
        since an earlier call.
        """
        with self._lock:
            before, self._site = self._devices, site
            self._devices = {
                topic: with_gone_parts(before[topic], device) if topic in before else device
                for topic, device in discovery_messages(site).items()
            }
        self._tell(again=False)

    def _heard(self, _topic: str, payload: bytes, retained: bool) -> None:
        if payload == _BORN and not retained:
            _log.info("Home Assistant has started: the site is announced again")
            self._tell(again=True)

    def _tell(self, *, again: bool) -> None:
        with self._lock:
            site, devices = self._site, self._devices
        if site is None:
            return
        try:
            # every device of this site begins so; those of other sites at the same broker are not ours to remove
            self._publisher.publish_states_at(
                devices, below=f"{self._prefix}/device/ppewatch_{site.name}", again=again
            )
        except OutboxError as error:
            _log.error("the list of devices that Home Assistant knows cannot be kept: %s", error)
