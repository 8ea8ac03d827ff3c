"""Between Keras models and named tensors. Names are ``<layer>/<variable>``: the same on every backend and
run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.weights.files import match_tensors


def named_variables(model: keras.Model) -> dict[str, Any]:
    """The model's weights (trained ones and statistics) by name, in the model's own order."""
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.weights}


def tensors_of(model: keras.Model) -> dict[str, NDArray[np.float32]]:
    """Copies of the model's weights by name."""
    return {
        name: numbers_of(variable).astype(np.float32) for name, variable in named_variables(model).items()
    }


def numbers_of(variable: Any) -> NDArray[Any]:
    """A copy of the value of a Keras variable of any backend, in its own type."""
    # numpy.array(variable) makes numpy warn that Keras does not know its argument ``copy``
    return np.array(variable.__array__())


def assign_tensors(
    model: keras.Model, tensors: Mapping[str, NDArray[np.float32]], *, origin: Path | str
) -> None:
    """Give every weight of the model its tensor. Raises ``WeightsError`` (naming ``origin``) unless all
    fit."""
    variables = named_variables(model)
    match_tensors(origin, tensors, {name: tuple(variable.shape) for name, variable in variables.items()})
    for name, variable in variables.items():
        variable.assign(tensors[name])


def assign_fitting(
    model: keras.Model, tensors: Mapping[str, NDArray[np.float32]]
) -> tuple[list[str], list[str]]:
    """Give the model's weights the tensors of the same name and shape; returns the names of those that got one
    and of those that stayed as they were."""
    taken, left = [], []
    for name, variable in named_variables(model).items():
        tensor = tensors.get(name)
        if tensor is not None and tuple(tensor.shape) == tuple(variable.shape):
            variable.assign(tensor)
            taken.append(name)
        else:
            left.append(name)
    return taken, left
