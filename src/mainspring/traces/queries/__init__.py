"""The traces room's SQL, a file for each noun."""
