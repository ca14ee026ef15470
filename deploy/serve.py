"""uvicorn, refusing new connections as soon as it is told to stop: python -m deploy.serve APPLICATION [OPTION ...]

uvicorn's parent process keeps the port open until its last worker has ended. Connections made meanwhile would be
accepted by nobody and break off with their calls; refused ones go to another replica.
"""

from uvicorn.main import main
from uvicorn.supervisors import Multiprocess


def terminate_all(supervisor: Multiprocess) -> None:
    for process in supervisor.processes:
        process.terminate()
    for listening in supervisor.sockets:
        listening.close()


if __name__ == "__main__":
    Multiprocess.terminate_all = terminate_all  # type: ignore[method-assign]
    main()
