"""The command `lmms-humansense demo`, and the tiny checkpoints that the demo and the tests use."""
