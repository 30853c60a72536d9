"""How blocks are run: in order, with retries, each result stored together with its done mark."""
