"""uvicorn with workers that answer and stop at once: python -m deploy.serve APPLICATION [OPTION ...]

- The parent keeps the port open until its last worker has ended, and connections made meanwhile would be accepted by
  nobody and break off with their calls. Here it refuses them as soon as it is told to stop: they go to another replica.
- asyncio sets TCP_NODELAY only on sockets that name their protocol, which the one that workers share does not. Without
  it every answer on a kept connection waits some 40 ms for the other side to acknowledge its head.
"""

import importlib
import socket

from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    def init_processes(self) -> None:
        for listening in self.sockets:
            if listening.family in (socket.AF_INET, socket.AF_INET6):
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Accepted connections inherit it.
        super().init_processes()

    def terminate_all(self) -> None:
        super().terminate_all()
        for listening in self.sockets:
            listening.close()


if __name__ == "__main__":
    command = importlib.import_module("uvicorn.main")  # As an attribute, uvicorn.main is the function.
    command.Multiprocess = Workers  # type: ignore[attr-defined]
    command.main()
