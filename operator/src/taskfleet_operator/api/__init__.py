"""The TaskQueue resource: its model, its rules, its reader, and what it becomes elsewhere.

The pydantic model in `spec` is the source. The CRD is generated from it (`generate`), the reader turns every fault into a path,
what was found and what is allowed (`reading`), and `convert` is the one place where a spec becomes the policy of the database or
of the scaling law. Nothing here does I/O but the generator, and nothing knows a Kubernetes client.
"""
