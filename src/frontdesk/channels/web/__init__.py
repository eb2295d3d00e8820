"""The native HTTP API, version 1: what the desk's own pages speak. A module per subject, each with its `router`."""
