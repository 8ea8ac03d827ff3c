"""``ppewatch`` with a detector that costs nothing; everything else is its own."""

from service.sticking_daemon import SeesOne

from streamer import cli, detector_factory

if __name__ == "__main__":
    detector_factory.load_detector = lambda **_: SeesOne()
    cli.run()
