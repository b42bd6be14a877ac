"""What DingTalk allows, drops and forgets: limits, windows, tasks, tokens, faults."""
