"""The rules over a recording, as fast as it goes: what ``ppewatch replay`` does."""
