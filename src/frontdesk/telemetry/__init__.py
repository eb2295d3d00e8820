"""Metrics, traces and structured logs. Nothing sensitive goes in."""
