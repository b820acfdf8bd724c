"""Taking over an MLflow: from its server, its database or its folder of files, without MLflow."""
