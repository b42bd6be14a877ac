"""The path of a notice: ticker → planner → sender → tracker → reporter.

The stages never call each other. Each takes rows in one state and leaves them in the next, in one
transaction that also enqueues the job that wakes the next stage.
"""
