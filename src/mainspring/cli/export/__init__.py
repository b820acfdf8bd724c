"""`mainspring export`: a pipeline as source of another scheduler, which has its steps run by `mainspring`.

Everything here reads a graph and writes text. What runs the steps is `mainspring run begin|items|step|finish`,
so every scheduler gives the same results under the same digests.
"""
