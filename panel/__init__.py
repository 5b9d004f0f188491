"""The control plane: people, schedules and the truth about runs."""
