"""Return as a signal what only looks like one, and changes while it is looked at."""

EXPECT = r"returned:'Chameleon'"


class Chameleon:
    @property
    def __class__(self):
        from bus.messages import Signal

        return Signal

    def __getattr__(self, name):
        return [self] * 1000


def attack():
    return Chameleon()
