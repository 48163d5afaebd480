"""The user's functions: how they are called, and where gradients come from."""
