"""The instruments: how a model is asked."""
