"""A checkpoint that is loaded here, by transformers."""
