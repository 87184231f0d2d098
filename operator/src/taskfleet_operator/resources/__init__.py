"""Kubernetes manifests, built purely out of a TaskQueue. Names, labels and keys each come from one function.

Nothing here talks to a cluster; whoever applies a manifest adds what only the live object knows: its replicas and version.
"""
