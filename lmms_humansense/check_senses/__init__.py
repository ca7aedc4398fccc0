"""The command `lmms-humansense check-senses`: whether pictures and sounds arrive at a model."""
