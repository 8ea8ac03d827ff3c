"""Weights as files that hold numbers and no code, the folder of those that ship, and their cards."""

from models.errors import WeightsError
from models.weights.files import StoredWeights, digest_of, load_weights, match_tensors, save_weights
from models.weights.store import STORE, WeightsEntry, list_weights, verify_weights

__all__ = [
    "STORE",
    "StoredWeights",
    "WeightsEntry",
    "WeightsError",
    "digest_of",
    "list_weights",
    "load_weights",
    "match_tensors",
    "save_weights",
    "verify_weights",
]
