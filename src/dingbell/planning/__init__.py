"""What planning and its forecast have in common: drafts of batches, their slots, their outlook.

The engine plans with it and operations forecast with it, so that a forecast cannot differ from
what is then done.
"""
