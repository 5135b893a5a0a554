"""Chapter adding: section 3 of the NIPS 1996 paper."""
