"""Batches for the mask-state classifier: balanced over labels, spread over sources, prepared by threads."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.mask_state.crops import CropGeometry
from models.mask_state.network import NOT_VISIBLE
from models.training.mask_state_augmentation import AugmentationConfig, augmented_crop
from models.training.mask_state_cache import CropCache

#: One batch: crops uint8 (N, S, S, 3) and the targets float32 (N, 12), see ``augmented_crop``.
Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]

_BATCHES_AHEAD: Final = 6


def sampling_weights(
    cache: CropCache,
    label_shares: Sequence[float],
    source_power: float,
    source_factors: Mapping[str, float],
) -> NDArray[np.float64]:
    """Probability (M,) with which each example is drawn; 0 for held-out ones.

    ``label_shares`` (K,) is each label's share of the samples. Within a label a source of n examples gets a
    share in proportion to n to the power of ``source_power``: 1 treats examples alike, 0 treats sources
    alike.
    """
    weights = np.zeros(len(cache), np.float64)
    for label, share in enumerate(label_shares):
        usable = (cache.labels == label) & ~cache.held_out
        sources, counts = np.unique(cache.sources[usable], return_counts=True)
        mass = counts.astype(np.float64) ** source_power
        mass *= [source_factors.get(str(source), 1.0) for source in sources]
        for source, of_source, count in zip(sources, mass / mass.sum(), counts, strict=True):
            weights[usable & (cache.sources == source)] = share * of_source / count
    weights /= weights.sum()
    return weights


def box_weight_of(cache: CropCache, i: int, box_sources: Collection[str]) -> float:
    """How much the box of example ``i`` tells where its face ends: 1 or 0. Those of ``box_sources`` do, where there is
    a face.
    """
    return float(str(cache.sources[i]) in box_sources and cache.labels[i] != NOT_VISIBLE)


def training_batches(
    cache: CropCache,
    *,
    weights: NDArray[np.float64],
    geometry: CropGeometry,
    augmentation: AugmentationConfig,
    box_sources: Collection[str] = (),
    batch_size: int,
    steps: int,
    seed: int,
    threads: int = 2,
) -> Iterator[Batch]:
    """``steps`` batches of ``batch_size``; the same ``seed`` gives the same batches, whatever the threads
    do. The boxes of ``box_sources`` tell where faces end."""
    seeds = np.random.SeedSequence(seed).spawn(steps)

    def batch(step: int) -> Batch:
        rng = np.random.default_rng(seeds[step])
        chosen = rng.choice(len(cache), batch_size, p=weights)
        samples = [
            augmented_crop(
                cache.region(int(i)),
                cache.boxes_xyxy[i],
                int(cache.labels[i]),
                int(cache.kinds[i]),
                box_weight=box_weight_of(cache, int(i), box_sources),
                geometry=geometry,
                config=augmentation,
                rng=rng,
            )
            for i in chosen
        ]
        return np.stack([crop for crop, _ in samples]), np.stack([target for _, target in samples])

    with ThreadPoolExecutor(threads, thread_name_prefix="mask-state-batches") as pool:
        waiting: list[Future[Batch]] = [pool.submit(batch, i) for i in range(min(_BATCHES_AHEAD, steps))]
        for step in range(steps):
            ready = waiting.pop(0).result()
            if step + _BATCHES_AHEAD < steps:
                waiting.append(pool.submit(batch, step + _BATCHES_AHEAD))
            yield ready
