"""Tools over the Model Context Protocol: a client of many servers, and our own server."""
