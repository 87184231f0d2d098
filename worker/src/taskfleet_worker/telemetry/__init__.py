"""What a worker tells: JSON logs, probes, metrics to scrape or to push. Nothing here decides or touches tasks."""
