"""What a service does on a real host: run as root on a freshly booted Debian 12, given a folder of wheels.

``shared/host/vmtest.sh`` boots one, in namespaces or in qemu; ``tools/host_test.py`` makes the payload.
Everything here but the attacks runs under the host's own Python and imports nothing but the standard library:
stratd is looked at from outside, by systemctl, journalctl, /proc, /sys/fs/cgroup and its command line.
"""
