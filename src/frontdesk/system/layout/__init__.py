"""How a system is laid out when it runs: its services, stores, hosts, edge, objectives, and what follows from them."""
