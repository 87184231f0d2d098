"""What every long-running process needs: log lines, supervised loops, health pages. Nothing here knows what the process is for."""
