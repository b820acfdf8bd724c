"""Every verb of the product, declared once: its request, its permission, its use case, its route.

A line belongs here if it names an operation or carries one out for an actor. REST, the command line, the
clients, the pages and the loops all come through `dispatch`; none has a way of its own.
"""
