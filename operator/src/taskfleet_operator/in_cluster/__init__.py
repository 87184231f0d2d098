"""The operator in a Kubernetes cluster: Deployments as scale target, Secrets, Events and status, a Lease for the lead.

Everything it knows of the cluster comes from mirrors in memory; everything it writes goes through `cluster`, and only while it leads.
"""
