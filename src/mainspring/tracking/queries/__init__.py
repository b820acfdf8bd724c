"""The tracking room's SQL, a file for each noun. Nothing else in the room knows the tables."""
