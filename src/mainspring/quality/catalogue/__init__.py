"""What can be expected of a table beyond what its schema says of single columns: the catalogue of expectations.

Great Expectations' core expectations are here under their own names, without the leading `expect_`, with their
own arguments and the meaning that they have there; so are some that they lack. An entry is a function from a
`Scope` and its arguments to a check in compiled form.
"""
