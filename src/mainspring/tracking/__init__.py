"""Experiments, runs, metrics, parameters, tags, logged models, artifacts.

A line belongs here if it records what a run said of itself. The words are MLflow's; its protocol is spoken
in `api/mlflow`.
"""
