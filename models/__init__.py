"""How a model is asked: media, inputs, runtime, caching, local models (local) and served models (endpoint)."""
