"""HumanSense (arXiv 2508.10576): what a question is, how it is asked and how an answer is scored."""
