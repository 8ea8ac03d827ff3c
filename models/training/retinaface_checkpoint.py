"""The place of ``models.training.run_state`` for those who import it by its first name."""

from models.training.run_state import RunState, load_state, recipe_text, save_state

__all__ = ["RunState", "load_state", "recipe_text", "save_state"]
