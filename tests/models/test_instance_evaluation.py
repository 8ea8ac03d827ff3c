"""What answers a label, confusions, counts, mistakes and the page, on pictures made for it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.label_answers import LabelAnswers, read_label_answers
from models.errors import DataSetError
from models.evaluation.confusion import confusion_matrix, confusions
from models.evaluation.instance_figures import MeasuredPicture, SetFigures
from models.evaluation.instance_page import Contender, write_page
from models.evaluation.instance_table import terminal_table
from models.evaluation.instances import match_words
from models.evaluation.mask_rcnn import Candidate, figures_of, main, measure
from models.evaluation.mistakes import worst_mistakes
from models.evaluation.picture_counts import PictureCounts, picture_counts
from models.structures import Category, Detections, Picture

HEADGEAR = frozenset({Category.HARD_HAT, Category.BARE_HEAD, Category.HAT})
IMAGE_HW = (120, 200)

Seen = tuple[Category, float, tuple[float, float, float, float]]


def detections_of(*seen: Seen, seg_mask: np.ndarray | None = None) -> Detections:
    return Detections(
        image_hw=IMAGE_HW,
        boxes_xyxy=np.array([box for _, _, box in seen], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in seen], np.float32),
        class_ids=np.array([category for category, _, _ in seen], np.int32),
        seg_masks=None
        if seg_mask is None
        else np.repeat(seg_mask[None], len(seen), axis=0).astype(np.float32),
    )


def picture_of(
    *things: tuple[str, tuple[float, float, float, float]], source: str = "kagglehats"
) -> AnnotatedPicture:
    objects = tuple(AnnotatedObject(word, box) for word, box in things)
    return AnnotatedPicture(Path("picture.png"), IMAGE_HW, objects, source=source)


@pytest.fixture(scope="module")
def answers() -> LabelAnswers:
    return read_label_answers()


LEFT, RIGHT, FAR = (10.0, 10.0, 50.0, 50.0), (100.0, 10.0, 140.0, 50.0), (150.0, 60.0, 190.0, 100.0)


def test_words_of_wider_meaning_are_answered_by_several_categories(answers: LabelAnswers) -> None:
    assert answers.categories("scutB", "head") == HEADGEAR
    assert answers.categories("vse", "hat") == {Category.HAT, Category.HARD_HAT}
    assert answers.categories("another", "hat") == {Category.HAT}
    assert answers.categories("sfchd", "unclear_head") is None
    assert answers.categories("mfseg", "face_skin") == frozenset()


def test_only_words_of_which_every_instance_is_labelled_are_measured(answers: LabelAnswers) -> None:
    assert answers.measured_words(picture_of(("hard_hat", LEFT))) == {"hard_hat", "bare_head"}
    assert answers.measured_words(picture_of(("hat", LEFT), source="vse")) == {"hat"}
    # a source that the table does not know: what the file says, else what is there
    own = AnnotatedPicture(Path("a"), IMAGE_HW, (), labelled=frozenset({"person", "tree"}))
    assert answers.measured_words(own) == {"person"}
    assert answers.measured_words(picture_of(("person", LEFT), ("tree", RIGHT), source="own")) == {"person"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sources: {a: {labels: {hat: [helmet]}}}", "no categories"),
        ("sources: {a: {label: {}}}", "unknown keys"),
        ("sources: {a: {labelled: everything}}", "where_present"),
        ("sources: {a: {labels: {hat: hat}}}", "expected categories"),
        ("sources: [", "no table of answers"),
        ("- 1", "no table of answers"),
    ],
)
def test_a_wrong_table_of_answers_is_refused_by_name(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(text)
    with pytest.raises(DataSetError, match=problem) as refusal:
        read_label_answers(file)
    assert str(file) in str(refusal.value)


def test_one_thing_seen_as_two_categories_counts_once_for_a_word_that_both_answer(
    answers: LabelAnswers,
) -> None:
    picture = picture_of(("head", LEFT), ("head", RIGHT), source="scutB")
    seen = detections_of(
        (Category.BARE_HEAD, 0.9, LEFT), (Category.HARD_HAT, 0.8, LEFT), (Category.HAT, 0.7, RIGHT)
    )
    (head,) = match_words(picture, seen, answers, known=HEADGEAR)
    assert head.rows.tolist() == [0, 2]
    assert head.matches.label_of[0, 0].tolist() == [0, 1]


def test_who_meets_an_ignored_thing_is_neither_right_nor_wrong(answers: LabelAnswers) -> None:
    picture = picture_of(("unclear_head", LEFT), ("hard_hat", RIGHT), source="sfchd")
    # the hat on the unclear head, much smaller than it, and one on nothing
    seen = detections_of((Category.HARD_HAT, 0.9, (20, 10, 40, 22)), (Category.HARD_HAT, 0.8, FAR))
    matches = {one.word: one.matches for one in match_words(picture, seen, answers, known=HEADGEAR)}
    assert matches["hard_hat"].ignored[0, 0].tolist() == [True, False]
    assert matches["hard_hat"].label_counts[0] == 1
    assert "person" not in matches
    counted = confusions(picture, seen, answers, known=HEADGEAR, score_threshold=0.5)
    assert counted == {("hard_hat", "background"): 1, ("background", "hard_hat"): 1}


def test_pixels_are_matched_where_polygons_are_labelled(answers: LabelAnswers) -> None:
    x1, y1, x2, y2 = LEFT
    upper_half = np.array([(x1, y1), (x2, y1), (x2, y2 - 20), (x1, y2 - 20)], np.float32)
    picture = AnnotatedPicture(
        Path("a"),
        IMAGE_HW,
        (AnnotatedObject("hat", LEFT, (upper_half,)), AnnotatedObject("hat", RIGHT)),
        source="vse",
    )
    mask = np.zeros((28, 28))
    mask[:14] = 1
    seen = detections_of((Category.HAT, 0.9, LEFT), (Category.HAT, 0.8, RIGHT), seg_mask=mask)
    boxes, pixels = match_words(picture, seen, answers, known=HEADGEAR, words_with_pixels=frozenset({"hat"}))
    assert (boxes.kind, pixels.kind) == ("box", "pixels")
    assert pixels.overlaps[0, 0] == pytest.approx(1.0)
    # the hat of which only the box is known says nothing about pixels
    assert pixels.matches.label_counts[0] == 1
    assert pixels.matches.ignored[0, 0].tolist() == [False, True]


def test_a_hard_hat_is_judged_by_its_pixels_where_only_the_hat_is_labelled(answers: LabelAnswers) -> None:
    hat = (10.0, 10.0, 50.0, 25.0)
    mask = np.zeros((28, 28))
    mask[:10] = 1
    seen = detections_of((Category.HARD_HAT, 0.9, LEFT), seg_mask=mask)
    (judged, *_) = match_words(picture_of(("hat", hat), source="vse"), seen, answers, known=HEADGEAR)
    assert judged.overlaps[0, 0] > 0.9
    # elsewhere a hard hat is the whole head
    whole = match_words(picture_of(("hard_hat", LEFT)), seen, answers, known=HEADGEAR)
    assert {one.word: one.overlaps for one in whole}["hard_hat"][0, 0] == pytest.approx(1.0)


def test_confusions_name_what_was_taken_for_what(answers: LabelAnswers) -> None:
    picture = picture_of(("hard_hat", LEFT), ("bare_head", RIGHT))
    seen = detections_of(
        (Category.BARE_HEAD, 0.9, LEFT),
        # nobody labels people here: a person may be right, and must not take the label of a head
        (Category.PERSON, 0.95, RIGHT),
        (Category.BARE_HEAD, 0.6, RIGHT),
        (Category.HARD_HAT, 0.7, FAR),
        (Category.HARD_HAT, 0.4, FAR),
    )
    known = HEADGEAR | {Category.PERSON}
    counted = confusions(picture, seen, answers, known=known, score_threshold=0.5)
    matrix = confusion_matrix(counted)
    assert matrix.words == ("bare_head", "hard_hat", "background")
    assert matrix.categories == ("hard_hat", "bare_head", "background")
    assert matrix.counts.tolist() == [[0, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_picture_counts_add_up_as_published(answers: LabelAnswers) -> None:
    def count(picture: AnnotatedPicture, *seen: Seen) -> PictureCounts:
        words = match_words(picture, detections_of(*seen), answers, known=frozenset({Category.HARD_HAT}))
        return picture_counts(words[0].matches, score_threshold=0.5)

    present, absent = picture_of(("hard_hat", LEFT)), picture_of(("bare_head", LEFT))
    found, missed = (Category.HARD_HAT, 0.9, LEFT), (Category.HARD_HAT, 0.4, LEFT)
    wrong = (Category.HARD_HAT, 0.8, FAR)
    assert count(present, found, wrong) == PictureCounts(true_positives=1)
    assert count(present, missed) == PictureCounts(false_negatives=1)
    assert count(present, wrong) == PictureCounts(false_positives=1)
    assert count(absent) == PictureCounts(true_negatives=1)
    # 18 pictures times words, as in a study of nine pictures with a mask and a hat each
    published = PictureCounts(true_positives=12, false_negatives=5, false_positives=1)
    assert published.accuracy == pytest.approx(0.6667, abs=5e-5)
    assert published.precision == pytest.approx(0.9231, abs=5e-5)
    assert PictureCounts().accuracy is None


class KnowingDetector:
    """Sees what it is told, picture by picture."""

    digests: Mapping[str, str] = {"knowing": "sha256:00"}

    def __init__(self, seen: Sequence[Detections]) -> None:
        self._seen = list(seen)

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None: ...

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:
        return [self._seen.pop(0) for _ in pictures]


@pytest.fixture
def pictures(tmp_path: Path) -> list[AnnotatedPicture]:
    made = []
    for index, source in enumerate(["kagglehats", "kagglehats", "own"]):
        path = tmp_path / f"picture_{index}.png"
        draw = np.random.default_rng(index)
        cv2.imwrite(str(path), draw.integers(0, 255, (*IMAGE_HW, 3), np.uint8))
        objects = (AnnotatedObject("hard_hat", LEFT), AnnotatedObject("bare_head", RIGHT))
        made.append(AnnotatedPicture(path, IMAGE_HW, objects, source=source))
    return made


def measured_of(
    pictures: list[AnnotatedPicture], answers: LabelAnswers
) -> tuple[list[MeasuredPicture], list[SetFigures]]:
    loose = (10.0, 10.0, 50.0, 36.0)
    detector = KnowingDetector(
        [
            detections_of((Category.HARD_HAT, 0.9, LEFT), (Category.BARE_HEAD, 0.8, RIGHT)),
            detections_of((Category.HARD_HAT, 0.7, loose), (Category.HARD_HAT, 0.95, RIGHT)),
            detections_of(seg_mask=np.ones((28, 28))),
        ]
    )
    measured = measure(
        Candidate("knowing", detector, HEADGEAR),
        {"one.json": pictures[:2], "two.json": pictures[2:]},
        answers,
        input_side_px=640,
        score_threshold=0.5,
    )
    return measured, figures_of(measured, answers, known=HEADGEAR, score_threshold=0.5)


def test_files_are_reported_apart_and_together(
    pictures: list[AnnotatedPicture], answers: LabelAnswers
) -> None:
    _, sets = measured_of(pictures, answers)
    assert [one.name for one in sets] == ["one.json", "two.json", "total"]
    words = {(one.name, word.word): word for one in sets for word in one.words}
    assert words["one.json", "hard_hat"].labels == 2
    # precision 1/2 at recall 1/2, 2/3 at recall 1: made monotonic 2/3 everywhere
    assert words["one.json", "hard_hat"].boxes.ap50 == pytest.approx(2 / 3)
    assert words["one.json", "bare_head"].boxes.ap50 == pytest.approx(51 / 101)
    assert words["one.json", "hard_hat"].boxes.recall50 == 1
    assert words["one.json", "bare_head"].boxes.recall50 == pytest.approx(1 / 2)
    assert words["two.json", "hard_hat"].boxes.ap50 == 0
    total = words["total", "hard_hat"]
    assert (total.labels, total.recall, total.precision) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert total.answered_by == ("hard_hat",)
    assert (
        json.loads(json.dumps(sets[-1].to_mapping(), allow_nan=False))["words"][1]["boxes"]["ap75"]
        is not None
    )
    table = terminal_table([("knowing", sets)])
    assert re.search(r"total +hard_hat +3 +knowing +0\.\d{3}", table)


def test_the_worst_mistakes_come_first(pictures: list[AnnotatedPicture], answers: LabelAnswers) -> None:
    measured, _ = measured_of(pictures, answers)
    worst = worst_mistakes(measured, score_threshold=0.5, count=2)
    assert [one.text for one in worst["false"]] == ["hard_hat 0.95, labelled bare_head, IoU 1.00"]
    assert worst["loose"][0].text == "hard_hat 0.70, IoU 0.65"
    assert len(worst["missed"]) == 2
    assert {one.word for one in worst["missed"]} <= {"hard_hat", "bare_head"}


def test_the_page_needs_nothing_but_its_folder(
    pictures: list[AnnotatedPicture], answers: LabelAnswers, tmp_path: Path
) -> None:
    measured, sets = measured_of(pictures, answers)
    contender = Contender("knowing <b>", {"net": "sha256:00"}, measured, sets)
    page = write_page(tmp_path / "page", [contender], title="A & B", score_threshold=0.5)
    text = page.read_text(encoding="utf-8")
    assert "knowing &lt;b&gt;" in text
    assert "A &amp; B" in text
    shown = re.findall(r'src="([^"]+)"', text)
    assert {path.name for path in page.parent.iterdir()} == {*shown, "index.html"}
    assert len([name for name in shown if name.endswith(".png")]) == 3
    for name in shown:
        assert cv2.imread(str(page.parent / name)) is not None
    assert not re.search(r"https?://", text)


def test_pictures_that_are_not_as_their_labels_say_are_refused(
    pictures: list[AnnotatedPicture], answers: LabelAnswers
) -> None:
    wrong = AnnotatedPicture(pictures[0].path, (60, 100), pictures[0].objects)
    candidate = Candidate("knowing", KnowingDetector([]), HEADGEAR)
    with pytest.raises(DataSetError, match="labels say"):
        measure(candidate, {"a": [wrong]}, answers, input_side_px=64, score_threshold=0.5)


def test_the_command_measures_a_peer_and_writes_what_it_printed(
    shared_data: Path, shared_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((shared_data / "hard_hats" / "val.json").read_text())
    kept = content["images"][:3] + content["images"][-6:]
    ids = {image["id"] for image in kept}
    annotations = [row for row in content["annotations"] if row["image_id"] in ids]
    file = tmp_path / "few.json"
    (tmp_path / "pictures").symlink_to(shared_data / "hard_hats" / "images")
    for image in kept:
        image["file_name"] = "pictures/" + Path(image["file_name"]).name
    file.write_text(json.dumps(content | {"images": kept, "annotations": annotations}))
    peer = shared_weights / "peers" / "helmet_detection_yolox.onnx"
    figures = tmp_path / "figures.json"
    assert main([str(file), "--only-peers", "--peer", f"helmet={peer}", "--json", str(figures)]) == 0
    printed = capsys.readouterr().out
    (detector,) = json.loads(figures.read_text())["detectors"]
    sets = {one["name"].split(": ")[-1]: one for one in detector["sets"]}
    words = {word["word"]: word for word in sets["kagglehats"]["words"]}
    assert set(words) == {"hard_hat", "bare_head"}
    assert words["hard_hat"]["boxes"]["ap50"] > 0.5
    assert f"{words['hard_hat']['boxes']['ap50']:.3f}" in printed


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["missing.json", "--only-peers"], "missing.json"),
        (["missing.json", "--peer", "helmet"], "KIND=FILE"),
        (["missing.json", "--input-size", "100"], "multiple of 32"),
        (["missing.json", "--min-score", "2"], "0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_said(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code: object
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    assert code in {1, 2}
    assert problem in capsys.readouterr().err
