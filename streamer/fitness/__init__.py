"""Whether a camera still shows what it is there to show: covered, moved, out of focus, dark, frozen, late, slow.

Pure but for the lock in ``camera_fitness``: no threads, no sockets, no clock of their own. Why so, and what was
measured: docs/adr/0084-camera-fitness.md.
"""
