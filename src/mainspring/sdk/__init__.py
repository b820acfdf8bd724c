"""What a user's script calls: the same `call(request)` on an installation or on a server."""
