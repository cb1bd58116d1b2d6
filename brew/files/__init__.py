"""Files on disk: written whole or not at all, locked, cached, fetched, told apart by contents."""
