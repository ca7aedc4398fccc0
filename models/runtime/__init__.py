"""When and where requests are processed: prefetching, workers, time limits, signals, failures. Decides no answer."""
