"""Which parts of a camera's pictures are looked at beside the whole: chosen for each look."""

from dataclasses import dataclass

from models.tiles import View, grid_views, head_views, heads_per_view
from models.tiles.heads import gains
from streamer.followed import FollowedHeads


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePolicy:
    """What is looked at beside the whole picture.

    - ``columns``, ``rows``, ``overlap``: a grid of tiles (``models.tiles.grid_views``); 1 and 1: none.
    - ``follow``: look again at the heads of those who are followed.
    - ``head_px``: height of these heads at the network's input. ``most_heads``: so many with one look at most.

    Raises ``ValueError`` on values out of range.
    """

    columns: int = 1
    rows: int = 1
    overlap: float = 0.2
    follow: bool = False
    head_px: int = 32
    most_heads: int = 15

    def __post_init__(self) -> None:
        if min(self.columns, self.rows, self.head_px, self.most_heads) < 1 or not 0 <= self.overlap < 1:
            raise ValueError(f"counts of at least 1 and an overlap of 0 to below 1, got {self}")

    @property
    def is_plain(self) -> bool:
        """Whether it is the whole picture alone."""
        return self.columns == self.rows == 1 and not self.follow


class Tiling:
    """Chooses the views of one camera's looks; one thread at a time.

    ``heads`` is what the judging says of those who are followed. When there are more heads than ``most_heads``, those
    that have waited longest are looked at, so everybody gets a turn; room that is left goes to what may be heads.
    """

    def __init__(self, policy: TilePolicy, heads: FollowedHeads | None = None) -> None:
        self.policy = policy
        self._heads = heads or FollowedHeads()
        self._turns: dict[int, int] = {}
        self._next_turn = 0
        self._pictures = policy.columns * policy.rows + (policy.columns * policy.rows > 1)

    @property
    def pictures(self) -> int:
        """How many pictures the networks see with one look: as with the latest one, at least 1."""
        return self._pictures

    def views(self, image_hw: tuple[int, int], input_hw: tuple[int, int]) -> tuple[View, ...]:
        """The views of the next look, the whole picture first."""
        policy = self.policy
        views = grid_views(image_hw, columns=policy.columns, rows=policy.rows, overlap=policy.overlap)
        if policy.follow and heads_per_view(input_hw, policy.head_px):
            chosen = self._next_heads(image_hw, input_hw)
            views += head_views(chosen, image_hw=image_hw, input_hw=input_hw, head_px=policy.head_px)
        self._pictures = len(views)
        return views

    def _next_heads(
        self, image_hw: tuple[int, int], input_hw: tuple[int, int]
    ) -> list[tuple[float, float, float, float]]:
        boxes = self._heads.boxes
        small = [
            track_id
            for track_id, box in boxes.items()
            if gains(box, image_hw=image_hw, input_hw=input_hw, head_px=self.policy.head_px)
        ]
        small.sort(key=lambda key: (key <= 0, self._turns.get(key, 0), abs(key)))
        chosen = small[: self.policy.most_heads]
        turns = {track_id: turn for track_id, turn in self._turns.items() if track_id in boxes}
        for track_id in (key for key in chosen if key > 0):
            self._next_turn += 1
            turns[track_id] = self._next_turn
        self._turns = turns
        return [boxes[track_id] for track_id in chosen]
