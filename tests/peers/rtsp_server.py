#!/usr/bin/python3
"""An RTSP camera for the tests: GStreamer's own server, run by the system's Python as a process of its own.

Prints ``ready <port>`` once it listens on 127.0.0.1. Each client gets a stream of its own from its
beginning. Ends on SIGTERM; SIGSTOP makes it a camera that hangs. Needs nothing of the project and no package
of its environment.
"""

import argparse
import signal
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PARSE = {
    "h264": "h264parse",
    "h265": "h265parse",
    "mjpeg": "jpegparse",
}
PAY = {
    "h264": "rtph264pay config-interval=-1",
    "h265": "rtph265pay config-interval=-1",
    "mjpeg": "rtpjpegpay",
}
BYTE_STREAM = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au",
    "h265": "video/x-h265,stream-format=byte-stream,alignment=au",
    "mjpeg": "image/jpeg",
}


def encoder(codec: str, gop: int) -> str:
    """The encoder stage of a test picture: no B-frames, one slice and a regular key frame, as cameras do.

    With several slices rtph264pay would repeat the parameter sets before each, which splits key frames.
    """
    return {
        "h264": f"x264enc tune=zerolatency threads=1 speed-preset=ultrafast key-int-max={gop} bitrate=800",
        "h265": f"x265enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} bitrate=800 ! h265parse",
        "mjpeg": "jpegenc quality=80",
    }[codec]


def test_picture(args: argparse.Namespace) -> str:
    """A launch line that draws and encodes a moving picture."""
    width, height = args.size.split("x")
    return (
        f"videotestsrc is-live=true pattern=ball ! capsfilter name=size "
        f"caps=video/x-raw,format=I420,width={width},height={height},framerate={args.fps}/1 "
        f"! identity name=valve ! {encoder(args.codec, args.gop)} ! {PAY[args.codec]} name=pay0 pt=96"
    )


def read_access_units(path: str) -> tuple[str, list[Gst.Buffer]]:
    """The codec of an MP4 and its whole access units in decoding order, kept in memory."""
    pipeline = Gst.parse_launch(f'filesrc location="{path}" ! qtdemux name=demux')
    found: dict[str, object] = {}

    def on_pad(_demux: Gst.Element, pad: Gst.Pad) -> None:
        name = pad.get_current_caps().get_structure(0).get_name()
        codec = {"video/x-h264": "h264", "video/x-h265": "h265", "image/jpeg": "mjpeg"}.get(name)
        if codec is None or "codec" in found:
            return
        found["codec"] = codec
        tail = Gst.parse_bin_from_description(
            f"queue ! {PARSE[codec]} config-interval=-1 ! {BYTE_STREAM[codec]} "
            "! appsink name=units sync=false emit-signals=false"
            if codec != "mjpeg"
            else "queue ! jpegparse ! appsink name=units sync=false",
            True,
        )
        pipeline.add(tail)
        tail.sync_state_with_parent()
        pad.link(tail.get_static_pad("sink"))
        # told last: a sink that has not been started says at once that nothing more will come
        found["sink"] = tail.get_by_name("units")

    pipeline.get_by_name("demux").connect("pad-added", on_pad)
    pipeline.set_state(Gst.State.PLAYING)
    deadline = time.monotonic() + 20
    while "sink" not in found and time.monotonic() < deadline:
        time.sleep(0.01)
    units: list[Gst.Buffer] = []
    while (sample := found["sink"].emit("try-pull-sample", 5 * Gst.SECOND)) is not None:
        units.append(sample.get_buffer().copy_deep())
    pipeline.set_state(Gst.State.NULL)
    return str(found["codec"]), units


class Clip:
    """The access units of one recording and how long a round of it takes."""

    def __init__(self, path: str) -> None:
        self.codec, self.units = read_access_units(path)
        first = self.units[0]
        self.first = first.dts if first.dts != Gst.CLOCK_TIME_NONE else first.pts
        last = max(unit.pts for unit in self.units)
        known = first.duration not in (0, Gst.CLOCK_TIME_NONE)
        interval = first.duration if known else Gst.SECOND // 25
        self.period = last - min(unit.pts for unit in self.units) + interval


class Feeder(threading.Thread):
    """Pushes the access units of clips, by turns, into one client's ``appsrc``, paced like a camera, over and over."""

    def __init__(self, source: Gst.Element, clips: list[Clip], loop: bool) -> None:
        super().__init__(daemon=True)
        self.source, self.clips, self.loop = source, clips, loop

    def run(self) -> None:
        begin, offset = time.monotonic(), 0
        while True:
            for clip in self.clips:
                for unit in clip.units:
                    buffer = unit.copy_deep()  # copy() would be the same buffer once more, times and all
                    decode_at = unit.dts if unit.dts != Gst.CLOCK_TIME_NONE else unit.pts
                    decode_at += offset - clip.first
                    buffer.pts = unit.pts - clip.first + offset
                    buffer.dts = decode_at
                    time.sleep(max(0.0, begin + decode_at / Gst.SECOND - time.monotonic()))
                    if self.source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                        return
                offset += clip.period
            if not self.loop:
                self.source.emit("end-of-stream")
                return


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes one pipeline per client, or one for all of them (``--shared``)."""

    def __init__(self, args: argparse.Namespace, clips: list[Clip]) -> None:
        super().__init__()
        self.args = args
        self.clips = clips
        if clips:
            codec = clips[0].codec
            pacing = "is-live=true format=time do-timestamp=false block=true max-bytes=4000000"
            # The access units hold their parameter sets already; repeated before each slice they would
            # split them.
            pay = PAY[codec].replace("config-interval=-1", "config-interval=0")
            line = f"appsrc name=src {pacing} caps={BYTE_STREAM[codec]} ! {PARSE[codec]} ! {pay} pt=96"
            line += (
                f" mtu=600 ! identity name=pay0 drop-probability={args.loss}" if args.loss else " name=pay0"
            )
        elif args.audio_only:
            line = "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0 pt=0"
        else:
            line = test_picture(args)
            if args.audio:
                line += " audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay1 pt=0"
        self.set_launch(f"( {line} )")
        self.set_shared(args.shared)
        self.connect("media-configure", self.on_media)

    def on_media(self, _factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia) -> None:
        element = media.get_element()
        if self.clips:
            source = element.get_child_by_name("src")
            started: list[Feeder] = []

            def on_need(_source: Gst.Element, _length: int) -> None:
                if not started:
                    started.append(Feeder(source, self.clips, not self.args.once))
                    started[0].start()

            source.connect("need-data", on_need)
        if self.args.change_to:
            GLib.timeout_add(int(self.args.change_after * 1000), self.change_size, element)
        if self.args.mute_after:
            GLib.timeout_add(int(self.args.mute_after * 1000), self.mute, element)

    def change_size(self, element: Gst.Element) -> bool:
        """A new picture size within the running session, as when somebody turns a knob of the camera."""
        width, height = self.args.change_to.split("x")
        element.get_child_by_name("size").set_property(
            "caps",
            Gst.Caps.from_string(
                f"video/x-raw,format=I420,width={width},height={height},framerate={self.args.fps}/1"
            ),
        )
        return False

    @staticmethod
    def mute(element: Gst.Element) -> bool:
        """No more video packets, though the session lives and sender reports keep coming."""
        element.get_child_by_name("valve").set_property("drop-probability", 1.0)
        return False


def protect(server: GstRtspServer.RTSPServer, factory: Factory, args: argparse.Namespace) -> None:
    """Ask for a user and password, and for TLS when a certificate was given."""
    auth = GstRtspServer.RTSPAuth()
    if args.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(args.certificate))
    if args.client_ca:
        auth.set_tls_database(Gio.TlsFileDatabase.new(args.client_ca))
        auth.set_tls_authentication_mode(Gio.TlsAuthenticationMode.REQUIRED)
        auth.connect("accept-certificate", lambda _auth, _connection, _certificate, errors: not int(errors))
    if args.user is not None:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        if args.auth == "basic":
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(args.user, args.password), token)
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        else:
            auth.add_digest(args.user, args.password, token)
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.set_auth(auth)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mount", default="/stream")
    parser.add_argument("--codec", choices=sorted(PAY), default="h264")
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--gop", type=int, default=25)
    parser.add_argument("--file", help="an MP4 that is sent as it is, in a loop")
    parser.add_argument("--then", help="another MP4 of the same codec, sent by turns with the first")
    parser.add_argument("--mounts", type=int, default=0, help="so many streams: MOUNT0, MOUNT1 and so on")
    parser.add_argument("--shared", action="store_true", help="all clients of a stream see the same moment")
    parser.add_argument("--once", action="store_true", help="send the file once, then end the stream")
    parser.add_argument("--loss", type=float, default=0.0, help="lose this share of the file's packets")
    parser.add_argument("--audio", action="store_true", help="a sound track beside the test picture")
    parser.add_argument("--audio-only", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--auth", choices=["basic", "digest"], default="digest")
    parser.add_argument("--certificate", help="PEM with key and certificate: serve rtsps")
    parser.add_argument("--client-ca", help="ask for a client certificate of this CA (PEM)")
    parser.add_argument("--change-to", metavar="WxH", help="another size of the test picture ...")
    parser.add_argument("--change-after", type=float, default=2.0, help="... after so many seconds")
    parser.add_argument("--mute-after", type=float, default=0.0, help="no video after so many seconds")
    parser.add_argument("--max-sessions", type=int, default=0)
    args = parser.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(args.port))
    clips = [Clip(path) for path in (args.file, args.then) if path]
    for number in range(args.mounts or 1):
        factory = Factory(args, clips)
        if args.user is not None or args.certificate:
            protect(server, factory, args)
        name = f"{args.mount}{number}" if args.mounts else args.mount
        server.get_mount_points().add_factory(name, factory)
    if args.max_sessions:
        server.get_session_pool().set_max_sessions(args.max_sessions)
    if server.attach(None) == 0:
        print(f"cannot listen on port {args.port}", file=sys.stderr)
        return 1
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGTERM, loop.quit)
    GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() >= 0)
    print(f"ready {server.get_bound_port()}", flush=True)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
