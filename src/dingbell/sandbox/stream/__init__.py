"""Events over websockets (Stream), as DingTalk pushes them: frames, lines, and how they fail."""
