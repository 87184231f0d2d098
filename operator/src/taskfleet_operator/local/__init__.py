"""The scale target without a cluster: worker processes of this machine, TaskQueues out of files. The same loop, law and reasons.

An advisory lock per queue stands for the Lease, SIGTERM to a drained process for the deletion of its pod.
"""
