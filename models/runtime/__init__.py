"""When and where requests are worked on: prefetching, workers, time limits, signals, failures. Decides no answer."""
