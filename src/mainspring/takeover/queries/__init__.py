"""The room's SQL: writing to our tables, and reading MLflow's."""
