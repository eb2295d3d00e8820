"""The composition root: a system description becomes wired rooms. Nothing else wires.

`open_desk(system)` gives a `Desk` whose rooms work (`rooms.py`); `Desk.asgi()` is its HTTP face, with gate and
telemetry round it (`http.py`).
"""

from frontdesk.app.rooms import Desk, open_desk

__all__ = ["Desk", "open_desk"]
