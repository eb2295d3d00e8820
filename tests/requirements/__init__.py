"""The requirement table: every requirement, the tests that prove it, and how they went.

`table.yaml` lists the requirements; a test names those that it proves with `@pytest.mark.proves("assistant-6")`;
`plugin` checks the names and records each run; `python -m tests.requirements` prints the whole.
"""
