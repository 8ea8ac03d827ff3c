"""Many sites: how they stand, their settings in one folder, and changes that go through them in waves."""
