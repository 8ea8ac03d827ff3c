"""Figures, plans and simulations as people read them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from streamer.capacity.figures import MachineFigures
from streamer.capacity.fitting import WayToLook
from streamer.capacity.planning import Plan
from streamer.capacity.scenario import CameraKind, Scenario
from streamer.capacity.simulation.outcome import SimulationResult

#: More head-room than this is no figure that anybody needs.
_MUCH: Final = 1000.0


def figures_told(figures: MachineFigures) -> dict[str, Any]:
    """One line for each thing that was measured."""
    machine, host = figures.machine, figures.host
    told: dict[str, Any] = {
        "origin": figures.origin,
        "machine": f"{machine.processor}, {machine.cores} cores, {machine.memory_mb:.0f} MB"
        + (f", {machine.accelerator}" if machine.accelerator else ""),
        "others_share": figures.others_share,
    }
    for one in figures.decode:
        name = f"frame_{one.codec}_{one.image_hw[1]}x{one.image_hw[0]}_ms"
        told[name] = {"mean": round(one.mean_ms, 2), "most": max(one.frame_ms), "megabits_s": one.megabits_s}
    for batch in figures.batches:
        name = f"batch_{batch.count}_{'+'.join(batch.models)}_{batch.input_hw[1]}x{batch.input_hw[0]}_ms"
        told[name] = {
            "wall": round(batch.wall_mean_ms, 1),
            "processor": round(batch.processor_mean_ms, 1),
        }
    told["beside_a_frame_ms"] = host.frame_ms
    told["beside_a_look_ms"] = host.look_ms
    told["after_a_lone_look_ms"] = host.idle_look_ms
    told["verdict_ms"] = round(statistics.fmean(host.verdict_ms), 2)
    told["each_second_ms"] = host.second_ms
    told["daemon_mb"] = figures.memory.daemon_mb
    told["camera_mb"] = figures.memory.camera_mb
    return told


def plan_json(
    scenario: Scenario, made: Plan, answers: Mapping[str, Any], ways: Sequence[WayToLook]
) -> dict[str, Any]:
    """A plan for machines: what ``plan_lines`` tells people."""
    return {
        "cameras": scenario.camera_count,
        "usable": made.usable,
        "fits": made.fits,
        "binding": {"group": made.binding.group, "resource": made.binding.name},
        "head_room": round(made.head_room, 3),
        "resources": [{**asdict(one), "share": round(one.share, 4)} for one in made.resources],
        "granted_fps": [round(fps, 3) for fps in made.granted_fps],
        **answers,
        "price_per_hour": made.price_per_hour,
        **({"ways_to_look": [asdict(one) for one in ways]} if ways else {}),
    }


def plan_lines(
    scenario: Scenario, made: Plan, answers: Mapping[str, Any], ways: Sequence[WayToLook]
) -> list[str]:
    """A plan for people."""
    lines = [_kind_line(kind, fps) for kind, fps in zip(scenario.cameras, made.granted_fps, strict=True)]
    for group in scenario.nodes:
        lines.append(
            f"on {group.count} x {group.name}, {group.core_count} cores each: {group.figures.origin}"
        )
    lines += ["", f"{'resource':<28}{'wanted':>12}{'there is':>12}  {'share':>7}"]
    for one in made.resources:
        binds = "  binds" if one is made.binding else ""
        name = f"{one.group}: {one.name}"
        lines.append(
            f"{name:<28}{one.wanted:>12.2f}{one.available:>12.2f}  {one.share:>6.0%} {one.unit}{binds}"
        )
    room = f"{made.head_room:.2f} times this" if made.head_room < _MUCH else "much more"
    lines += [
        "",
        f"{made.binding.name} binds; filled to {made.usable:.0%} it takes {room}"
        + ("" if made.fits else ": it does not fit"),
        f"most cameras on these machines   {answers['most_cameras']}",
        f"most looks a second of each      {answers['most_fps']:g}",
        "machines for these cameras       "
        + ", ".join(f"{count} x {name}" for name, count in answers["nodes_needed"].items()),
    ]
    if made.price_per_hour:
        lines.append(f"price an hour                    {made.price_per_hour:g}")
    if ways:
        lines += ["", f"{'models':<24}{'input px':>9}{'cameras':>9}  binds"]
        lines += [
            f"{' '.join(one.models):<24}{one.input_px:>9}{one.cameras:>9}  {one.binding}" for one in ways
        ]
    return lines


def simulation_lines(scenario: Scenario, result: SimulationResult) -> list[str]:
    """A simulation for people."""
    followed = "each frame followed" if result.every_frame else "frames that are due followed"
    rows = {
        "looks a second": f"{result.looks_per_s:g} of {result.wanted_per_s:g} wanted; "
        f"the worst camera had {result.least_share:.0%} of its wish",
        "from frame to verdict, ms": _pairs(result.latency_ms),
        "longest gap of a camera, s": _pairs(result.longest_gap_s),
        "pictures in a batch": f"{result.mean_batch:g}",
        "frames that were dropped": _pairs(result.drops) or "none",
        "failures": _pairs(result.events) or "none",
        "cameras with nobody, s": _pairs(result.unwatched_camera_s),
        "processors used": _pairs(result.processor),
        "devices used": _pairs(result.devices) or "none",
        "price": f"{result.price_per_hour:g} an hour, {result.price_per_camera_month:g} a camera and month",
    }
    return [
        f"{scenario.camera_count} cameras, {result.seconds:g} s simulated in {result.simulated_in_s:g} s "
        f"({result.actions} events, {followed})",
        *(f"  {name:<28}{text}" for name, text in rows.items()),
    ]


def _kind_line(kind: CameraKind, granted_fps: float) -> str:
    granted = "" if granted_fps >= kind.looks_fps - 1e-6 else f", of which {granted_fps:.2f} can be granted"
    return (
        f"{kind.count} cameras, {kind.codec} {kind.size[0]}x{kind.size[1]} at {kind.stream_fps:g} frames a second; "
        f"{kind.looks_fps:g} looks a second{granted}, {' '.join(kind.models)} at {kind.input_hw[1]}x{kind.input_hw[0]}"
    )


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())
