"""What ``stratd doctor`` asks of a host besides the sandbox: a module a question, facts apart from verdicts.

Each returns views for ``DoctorReport.host``. ``missing`` is what the configuration demands and there is not;
``available`` is there and not enough, and nothing demands more; ``off`` is not configured. Nothing here
changes the host, sends a request to a service, or waits longer than ``reach.TIMEOUT``.
"""

from __future__ import annotations
