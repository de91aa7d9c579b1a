"""The promises, family by family."""
