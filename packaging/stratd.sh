#!/bin/sh
exec /opt/stratd/current/bin/stratd "$@"
