"""Traces: what programs did to answer requests, span by span, and what was said of their answers.

Spans come from OpenTelemetry's exporters and MLflow's clients; here they are kept, found and deleted. Runs and
logged models, which traces may belong to, are tracking's; the protocols are spoken in `api/`.
"""
