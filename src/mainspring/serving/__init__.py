"""Answering predictions: routing, model workers, the prediction log, rollouts.

A line belongs here if a request for a prediction passes it, or if it decides which version gets the request.
Judging the answers over time belongs to `monitoring`.
"""
