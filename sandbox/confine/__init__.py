"""Kernel interfaces, one module a layer. Nothing else of stratd imports ctypes or resource."""
