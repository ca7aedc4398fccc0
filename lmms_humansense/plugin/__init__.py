"""What makes lmms-eval find this package's tasks and models, and what is changed in lmms-eval.

Every change is made once, when a run begins, and concerns this package's models and tasks only.
"""
