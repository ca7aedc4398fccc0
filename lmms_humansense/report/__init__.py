"""`lmms-humansense report`: turns results of lmms-eval into a table beside the paper's, comparisons, and a page."""
