"""A system on one machine: each service as processes of their own, kept running by one supervisor."""
