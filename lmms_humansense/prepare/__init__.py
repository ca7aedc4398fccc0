"""`lmms-humansense prepare`: the release's questions and media on this machine, whole, before anything runs."""
