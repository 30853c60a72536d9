"""Which reconstructed points and links correspond to which true ones."""
