"""The cell: zygote, warden, strategy process and their confinement. Floor 2."""
