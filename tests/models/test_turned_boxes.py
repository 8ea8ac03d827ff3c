"""Boxes of turned ellipses, in coordinates of pixel edges and of pixel centres."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.turned_boxes import matrix_of_centres, matrix_of_edges, turned_boxes


@settings(max_examples=50)
@given(
    angle=st.floats(-180, 180),
    scale=st.floats(0.1, 3),
    shift=st.tuples(st.floats(-99, 99), st.floats(-99, 99)),
)
def test_turned_boxes_hold_the_turned_ellipse(angle: float, scale: float, shift: tuple[float, float]) -> None:
    box = np.array([[10.0, 20.0, 50.0, 90.0]])
    radians = np.deg2rad(angle)
    turn = scale * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    matrix = np.concatenate([turn, np.array(shift)[:, None]], axis=1)
    around = np.linspace(0, 2 * np.pi, 2000)
    ellipse = np.stack([30 + 20 * np.cos(around), 55 + 35 * np.sin(around)], axis=1) @ turn.T + shift
    expected = np.concatenate([ellipse.min(axis=0), ellipse.max(axis=0)])
    np.testing.assert_allclose(turned_boxes(box, matrix)[0], expected, atol=1e-3 * scale * 35)


def test_none_are_turned_to_none() -> None:
    assert turned_boxes(np.zeros((0, 4), np.float32), np.eye(2, 3)).shape == (0, 4)


def test_what_opencv_warps_lies_where_the_matrix_of_edges_puts_its_box() -> None:
    pixels = np.zeros((8, 10), np.uint8)
    pixels[2:4, 3:6] = 255
    # doubled, mirrored left to right and shifted: the centre of pixel 0 goes to the middle of pixels 18 and 19
    warped = cv2.warpAffine(pixels, np.array([[-2, 0, 18.5], [0, 2, 1.5]]), (20, 20), flags=cv2.INTER_NEAREST)
    ys, xs = np.nonzero(warped)
    seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    matrix = matrix_of_edges(np.array([[-2, 0, 18.5], [0, 2, 1.5]]))
    np.testing.assert_array_equal(matrix, [[-2, 0, 20], [0, 2, 1]])
    np.testing.assert_array_equal(turned_boxes(np.array([[3, 2, 6, 4]]), matrix), [seen])
    np.testing.assert_allclose(matrix_of_centres(matrix), [[-2, 0, 18.5], [0, 2, 1.5]])


def test_a_turned_and_stretched_box_as_computed_centre_by_centre() -> None:
    matrix = np.array([[-0.79424835, -0.30863674, 95.69351218], [-0.37036409, 0.66187363, 26.05726891]])
    box = np.array([12.5, 20.25, 61, 93.75])
    centre = matrix[:, :2] @ ((box[:2] + box[2:]) / 2 - 0.5) + matrix[:, 2] + 0.5
    # centre -+ the root of the sum of squared shares of the half axes 24.25 and 36.75
    reach = [
        np.hypot(0.79424835 * 24.25, 0.30863674 * 36.75),
        np.hypot(0.37036409 * 24.25, 0.66187363 * 36.75),
    ]
    turned = turned_boxes(box[None], matrix_of_edges(matrix))[0]
    np.testing.assert_allclose(turned, [*(centre - reach), *(centre + reach)], rtol=1e-14)
    np.testing.assert_allclose(turned, [27.611902457, 24.598407595, 72.316164860, 76.456453480], rtol=1e-8)
