"""The OpenTelemetry Protocol over HTTP, for traces.

What any OpenTelemetry exporter sends to `/v1/traces`, in protobuf or JSON, becomes one request of the traces
room. Metrics and logs are not taken.
"""
