"""Figures of machines that do not exist, for tests."""

from streamer.capacity.figures import (
    BatchCost,
    DecodeCost,
    HostCost,
    MachineDescription,
    MachineFigures,
    MemoryCost,
)

BOTH = ("maskrcnn", "retinaface")
INPUT_HW = (384, 640)


def processor_figures(
    *, cores=2, frame_ms=4.0, look_ms=100.0, threads=1.0, verdict_ms=0.0, camera_mb=20.0, daemon_mb=400.0
):
    """A machine without a device: a look takes ``look_ms`` of processor time in so many threads."""
    return MachineFigures(
        origin="made for a test",
        machine=MachineDescription(processor="made up", cores=cores, memory_mb=8000),
        others_share=0.0,
        decode=(
            DecodeCost(codec="h264", image_hw=(720, 1280), fps=25, megabits_s=2.5, frame_ms=(frame_ms,)),
        ),
        batches=(
            BatchCost(
                models=BOTH,
                input_hw=INPUT_HW,
                count=1,
                wall_ms=(look_ms / threads,),
                processor_ms=(look_ms,),
            ),
        ),
        host=HostCost(look_ms=0.0, verdict_ms=(verdict_ms,), frame_ms=0.0, second_ms=0.0),
        memory=MemoryCost(daemon_mb=daemon_mb, camera_mb=camera_mb),
    )


def device_figures(*, cores=16, first_ms=20.0, each_ms=2.0, frame_ms=2.0):
    """A machine with a device on which batches cost ``first_ms`` and ``each_ms`` for every picture."""
    return MachineFigures(
        origin="made for a test",
        machine=MachineDescription(processor="made up", cores=cores, memory_mb=64000, accelerator="made up"),
        others_share=0.0,
        decode=(
            DecodeCost(codec="h264", image_hw=(720, 1280), fps=25, megabits_s=2.5, frame_ms=(frame_ms,)),
        ),
        batches=tuple(
            BatchCost(
                models=BOTH,
                input_hw=INPUT_HW,
                count=count,
                wall_ms=(first_ms + each_ms * count,),
                processor_ms=(3.0 * count,),
            )
            for count in (1, 2, 4, 8)
        ),
        host=HostCost(look_ms=0.1, verdict_ms=(1.0,), frame_ms=0.0, second_ms=5.0),
        memory=MemoryCost(daemon_mb=2000, camera_mb=20),
    )
