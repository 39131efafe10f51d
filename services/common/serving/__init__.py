"""A gRPC server and its surroundings: start, drain, tokens, TLS, health, metrics, logs, and pixels on the wire."""
