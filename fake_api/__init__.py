"""The served world: the simulated workspace behind HTTP, stepped by a server's clock."""
