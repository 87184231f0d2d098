"""Makes the CRD out of the model: `schema` the structural schema, `crd` the object around it, `__main__` the command."""
