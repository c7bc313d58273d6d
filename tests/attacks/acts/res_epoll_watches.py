"""Let epolls watch epolls, in cycles and in depth, and wait on all of them."""

import os
import select

EXPECT = r"denied:(EMFILE|ELOOP|EINVAL|ENOSPC)"


def attack():
    polls = []
    while True:
        polls.append(select.epoll())
        reading, _ = os.pipe()
        polls[-1].register(reading, select.EPOLLIN)
        for other in polls[:-1]:
            other.register(polls[-1].fileno(), select.EPOLLIN | select.EPOLLET)
