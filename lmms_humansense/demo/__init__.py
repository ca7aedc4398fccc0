"""The command `lmms-humansense demo`, and the tiny checkpoints that it and the tests run."""
