"""Every request of the API, one function each: what it takes, what it asks, and what shape the answer has.

The one place where routes are written down, for both clients and for the command line. The functions only
describe (``call.Call``); whoever carries a description out gets the errors of ``errors``.
"""
