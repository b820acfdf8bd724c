"""Taking over a DVC repository: its versions through git's history, its stages and its metrics, without DVC."""
