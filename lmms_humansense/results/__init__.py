"""Results of lmms-eval: read into runs, with the statistics of their scores."""
