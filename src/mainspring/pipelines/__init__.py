"""Pipelines: authoring, the graph, the cache key, the engine that runs steps in processes of their own.

A line belongs here if it is about turning code and data into results. What a run logs belongs to `tracking`,
what happens to a model afterwards to `registry`.
"""
