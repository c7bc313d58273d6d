"""Return as signals a list that never comes to its end."""

EXPECT = r"returned:'Endless'"


class Endless(list):
    def __iter__(self):
        while True:
            yield None

    def __len__(self):
        return 1


def attack():
    return Endless()
