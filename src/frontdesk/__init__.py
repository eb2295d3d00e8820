"""Frontdesk: a self-hosted AI front desk."""

__version__ = "0.1.0"
