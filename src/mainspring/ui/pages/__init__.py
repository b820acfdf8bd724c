"""One file per kind of page: what it reads, and how that is laid out."""
