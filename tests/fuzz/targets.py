"""The targets by name, each imported only when asked for: a process holds what its target needs and no more."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from fuzz.target import Target

TARGETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "site": "fuzz.site_files:SiteFiles",
        "commands": "fuzz.mqtt_messages:Commands",
        "broker": "fuzz.mqtt_messages:CommandsByBroker",
        "alerts": "fuzz.mqtt_messages:AlertMessages",
        "http": "fuzz.http_requests:HttpRequests",
        "http-auth": "fuzz.http_requests:HttpRequestsWithCredentials",
        "daemon": "fuzz.daemon:Daemon",
        "pictures": "fuzz.pictures:Pictures",
        "safetensors": "fuzz.weight_files:Safetensors",
        "hdf5": "fuzz.weight_files:Hdf5",
        "tflite": "fuzz.weight_files:Tflite",
        "pytorch": "fuzz.weight_files:PyTorch",
        "datasets": "fuzz.data_sets:DataSets",
        "containers": "fuzz.clips:Containers",
        "packets": "fuzz.clips:Packets",
        "rtsp": "fuzz.stream_servers:Rtsp",
        "http-cameras": "fuzz.stream_servers:HttpCameras",
        # proves that the campaign sees what it looks for
        "faulty": "fuzz.faulty:Faulty",
    }
)


def target_of(name: str) -> type[Target]:
    """The class of a target. Raises ``KeyError`` for a name that there is not."""
    module, _, kind = TARGETS[name].partition(":")
    found: type[Target] = getattr(import_module(module), kind)
    return found
