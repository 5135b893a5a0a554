"""Maps for which a printed statement fails: each is a map and, beside it, the certificate of what it claims.

A module's `as_map` gives the map in floating point, and its `certify` proves the claim, in exact rationals or in
interval arithmetic; the proof's `holds` is False where it does not go through, for other parameters for example.
"""
