"""The root of everything that ``streamer`` raises.

``StreamerError``
├── ``streamer.ingest.errors.IngestError``: why a camera gives no frames (its tree is drawn there)
├── ``streamer.alerts.errors.AlertError``: an alert cannot be stored, drawn or delivered (its tree is drawn there)
├── ``streamer.zone_editor.errors.ZoneEditError``: zones are not changed (its tree is drawn there)
├── ``streamer.onvif.errors.OnvifError``: a device of the network tells nothing of itself
├── ``streamer.first_run.writing.FirstRunError``: a first SITE.yaml could not be made
├── ``streamer.web.access.WebServerError``: the status page cannot be served, or not safely
├── ``streamer.commands.CommandError``, ``UsageError``: a command could not do what was asked, or was asked wrongly
├── ``streamer.capacity``: ``FiguresError``, ``ScenarioError``: figures or a scenario cannot be reckoned with
├── ``streamer.fleet.rollout.RolloutError``: a change stopped at a site
└── ``streamer.demo.broker.EmbeddedBrokerError``: the demo's broker could not be started

Messages are made for people and hold no secret: no password, no user information of a URL.
"""

from models.printable import printable


class StreamerError(Exception):
    """Something between the cameras and the alerts failed; the message is one or two lines for people. It may quote a
    camera, a broker or a file, but steers no terminal.
    """

    def __str__(self) -> str:
        return printable(super().__str__(), kept="\n")
