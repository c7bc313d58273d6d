"""The daemon: decides, carries out, owns every process. Floor 3."""
