"""Handing work to processes: leases, the local runner, the sweeper."""
