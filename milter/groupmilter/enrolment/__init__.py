"""Joining and leaving groups: what becomes of somebody's wish, the requests that owners decide, and their letters.

Stands above `membership`, which writes the directory, and `moderation`, which keeps the ledger and sends letters.
"""
