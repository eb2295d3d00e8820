"""Answer models, a module per wire, and the router that falls back between them."""
