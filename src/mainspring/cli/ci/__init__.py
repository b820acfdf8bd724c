"""`mainspring ci`: would the models that this code makes be let into production?

The declaration is read, the data is held to the schemas that stand beside the code, each pipeline is run as
far as the cache doesn't know its results, and what comes out is held to the gates as a loop would hold it.
Nothing is registered, declared or rolled out.
"""
