"""MLflow's REST protocol over our operations, so that its clients work unchanged.

A line belongs here if it translates MLflow's words into requests and answers back. It decides nothing: what
is allowed and what happens is said by the operations. Storage locations are opaque: a client names a run, a
logged model or a version, never a place.
"""
