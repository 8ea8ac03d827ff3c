"""The demo's settings pass the same door as everybody's."""

import socket
from pathlib import Path

from config import load_site
from streamer.demo.site import CAMERA, CLIP, RULE, demo_site_yaml, free_listen_address, prepare_site


def test_the_demo_site_loads_and_says_what_the_clip_was_made_for(tmp_path: Path) -> None:
    path = prepare_site(
        tmp_path / "new", broker_host="127.0.0.1", broker_port=40123, http_listen="127.0.0.1:8788"
    )
    site = load_site(path, environ={})
    camera = site.cameras[CAMERA]
    assert Path(str(camera.url)) == CLIP
    assert camera.loop
    assert (site.mqtt.host, site.mqtt.port) == ("127.0.0.1", 40123)
    assert site.state_dir == (tmp_path / "new" / "state").resolve()
    (rule,) = site.rules
    assert rule.name == RULE
    assert (rule.dwell_s, rule.clear_s, rule.cooldown_s) == (1.5, 3.0, 0.0)
    assert [place.camera for place in site.places_of(rule)] == [CAMERA]


def test_paths_with_awkward_characters_survive_the_yaml(tmp_path: Path) -> None:
    clip = tmp_path / "a: 'clip' #1.mp4"
    clip.write_bytes(b"")
    text = demo_site_yaml(
        broker_host="127.0.0.1", broker_port=1883, state_dir=tmp_path / "state: {x}", clip=clip
    )
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    site = load_site(path, environ={})
    assert Path(str(site.cameras[CAMERA].url)) == clip
    assert site.state_dir == tmp_path / "state: {x}"


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = int(free_listen_address(port).rpartition(":")[2])
        assert chosen not in {0, port}
    assert free_listen_address(port) == f"127.0.0.1:{port}"
