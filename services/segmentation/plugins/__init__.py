"""Segmenters of other packages, found by entry points and held to a contract; two of them are adapters of ours."""
