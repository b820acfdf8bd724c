"""The pages: what people see of an installation in a browser, rendered on the server.

A line belongs here if it turns answers of operations into HTML, or a form into a request. Pages read and
act only through operations, work without JavaScript, and load nothing from anywhere else.
"""
