"""What keeps a fleet smaller than its work asks for: limits and quotas, a failing downstream, the HPA-shaped behavior."""
