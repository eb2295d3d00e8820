"""Scripted upstreams and contract suites: shipped, so that authors of plug-ins use them too."""
