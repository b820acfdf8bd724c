"""Who may do what, who did what, and who agreed: roles, tokens, approvals, the audit chain.

A line belongs here if it is about people's rights or about proof. What a gate or check says of a model or
of data belongs to the registry or to quality.
"""
