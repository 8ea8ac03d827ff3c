"""Pictures to practise training with: faces on each, nearly alike on none, and the same again."""

from pathlib import Path

import cv2
import pytest
from command_line import need_weights

from models.data.near_duplicates import near_duplicates
from models.data.synthetic_gear.faced_pictures import plain_pictures, with_faces

pytest.importorskip("skimage.data", reason="needs scikit-image, whose portrait is shown")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from streamer.demo.make_pictures import write_pictures  # noqa: PLC0415

    return write_pictures(tmp_path_factory.mktemp("practice"), 8, seed=4)


def test_they_are_of_several_sizes_and_no_two_alike(pictures: list[Path]) -> None:
    assert [file.name for file in pictures] == [f"{number:03d}.jpg" for number in range(8)]
    sizes = {cv2.imread(str(file)).shape[:2] for file in pictures}
    assert sizes <= {(240, 320), (360, 480), (480, 640)}
    assert len(sizes) > 1
    assert not near_duplicates(pictures)


def test_the_same_seed_gives_the_same_pictures(pictures: list[Path], tmp_path: Path) -> None:
    from streamer.demo.make_pictures import write_pictures  # noqa: PLC0415

    again, other = write_pictures(tmp_path, 1, seed=4)[0].read_bytes(), write_pictures(tmp_path, 1, seed=5)
    assert again == pictures[0].read_bytes()
    assert other[0].read_bytes() != again


def test_a_face_is_found_on_each(pictures: list[Path]) -> None:
    need_weights()
    from models.data.synthetic_gear.found_faces import face_finder  # noqa: PLC0415 - loads TensorFlow

    faced = with_faces(plain_pictures(pictures[0].parent), {}, find=face_finder())
    counts = [len(row.landmarks_xy) for row in faced]
    assert min(counts) >= 1
    assert max(counts) == 2
