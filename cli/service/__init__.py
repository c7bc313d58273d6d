"""stratd as a service of systemd: what there is to do on a host (``plan``), and doing it (``shell``)."""
