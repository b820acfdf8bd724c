"""Answering predictions over HTTP: the Open Inference Protocol v2, MLflow's scoring calls, labels, metrics.

A thin ASGI application without a framework: on this path the framework would cost more than the model.
What a question means and who answers it is decided in `serving`.
"""
