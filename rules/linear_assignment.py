"""``scipy.optimize.linear_sum_assignment`` without the rest of ``scipy.optimize``, which takes half of the time in
which the daemon starts, and 40 MB that nobody uses.
"""

import importlib.machinery
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Solver = Callable[[NDArray[np.float64]], tuple[NDArray[np.intp], NDArray[np.intp]]]


def assignment_solver() -> Solver:
    """The solver: rows and columns of the assignment of a cost matrix (R, C) that costs least."""
    package = importlib.util.find_spec("scipy")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            file = Path(folder) / "optimize" / f"_lsap{suffix}"
            if file.is_file() and (solver := _solver_in(file)) is not None:
                return solver
    # another version keeps it elsewhere
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - large

    public: Solver = linear_sum_assignment
    return public


def _solver_in(file: Path) -> Solver | None:
    spec = importlib.util.spec_from_file_location("_lsap", file)
    if spec is None or spec.loader is None:
        return None
    try:
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        return None
    solver: Solver | None = getattr(module, "linear_sum_assignment", None)
    return solver
