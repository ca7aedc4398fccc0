"""How a model is asked: media, inputs, runtime, caching, and models of one's own (local) or served ones (endpoint)."""
