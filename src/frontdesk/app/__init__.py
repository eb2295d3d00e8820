"""The composition root: a system description becomes wired rooms. Nothing else wires.

`rooms.open_desk(system)` gives a `Desk` whose rooms work; `Desk.asgi()` is its HTTP face, with gate and telemetry round
it (`http.py`). `frontend.py` and `example.py` wire the two services that need none of that, and import none of it.
"""
