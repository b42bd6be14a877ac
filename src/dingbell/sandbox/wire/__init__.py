"""DingTalk's wire as the sandbox speaks it, and the control API beside it."""
