"""`lmms-humansense report`: from lmms-eval's results to a table beside the paper's, comparisons, and every answer."""
