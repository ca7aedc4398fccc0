"""`lmms-humansense prepare`: fetches and checks the release's questions and media before a run."""
