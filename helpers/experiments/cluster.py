"""Workers that train together: `join` finds the others; `make cluster WORKERS=2` starts several on this computer."""

import faulthandler
import json
import os
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import Any

from helpers.errors import StepError, whole_number

WAIT = 300  # seconds for all workers to come
RESTARTS = 10  # after a worker was killed, before it is given up
GRACE = 10  # seconds for the others, once a worker has ended badly
TRY_AGAIN = 75  # the exit status of a worker that lost another: EX_TEMPFAIL in sysexits.h


def start_workers(count: int, command: list[str], restarts: int = RESTARTS) -> None:
    """Start so many processes of a command that takes TF_CONFIG, as [sys.executable, "-m", "helpers", "train"].

    All are started again if one of them is killed or falls silent: they go on from the last checkpoint. What the first
    one says is shown, of the others only their errors. StepError if a worker ends with an error of its own, or after
    so many `restarts`.
    """
    count, cores = whole_number("workers", count, least=1), os.cpu_count() or 1
    for left in reversed(range(restarts + 1)):
        statuses = _until_one_ends(count, command, max(1, cores // count))
        if not any(statuses):
            return
        failed = {number: status for number, status in enumerate(statuses) if status > 0 and status != TRY_AGAIN}
        if failed:
            raise StepError(f"Worker {', '.join(map(str, failed))} ended with an error, which stands above.")
        if not left:
            break
        killed = ", ".join(str(number) for number, status in enumerate(statuses) if status < 0)
        lost = f"Worker {killed} was killed." if killed else "A worker fell silent."
        print(f"{lost} All are started again: {left} times more if need be.", flush=True)
    raise StepError(f"Workers were lost {restarts + 1} times, perhaps for want of memory. Finished epochs are kept.")


def _until_one_ends(count: int, command: list[str], cores: int) -> list[int]:
    """Their exit statuses, negative where a signal ended one; once one has ended badly, the others have `GRACE`."""
    addresses = free_addresses(count)
    with ExitStack() as stack:
        workers = []
        for number in range(count):
            told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
            more = {"TF_CONFIG": json.dumps(told), "TF_NUM_INTRAOP_THREADS": str(cores)}
            out = None if number == 0 else subprocess.DEVNULL
            workers.append(stack.enter_context(subprocess.Popen(command, env={**os.environ, **more}, stdout=out)))
            stack.callback(workers[-1].kill)
        while None in [worker.poll() for worker in workers] and not any(worker.poll() for worker in workers):
            time.sleep(0.2)
        ends = time.monotonic() + GRACE
        while None in [worker.poll() for worker in workers] and time.monotonic() < ends:
            time.sleep(0.2)
        return [0 if worker.poll() is None else worker.poll() for worker in workers]


def free_addresses(count: int) -> list[str]:
    """Addresses on this computer where nobody listens."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]


def join(wait: float = WAIT) -> Any:
    """The strategy of this worker: together with those that TF_CONFIG names, else over the devices of this computer.

    Call it before TensorFlow computes anything. StepError for a worker that does not come within so many seconds.
    """
    from helpers.quiet_tensorflow import tf  # only here: what starts the workers does without it

    try:
        found = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        addresses, number = found.cluster_spec().as_dict().get("worker", []), found.task_id
        if addresses:
            addresses[number]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as reason:
        example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise StepError(f"TF_CONFIG cannot be used ({reason}). It should look like {example}.") from None
    if not addresses:
        names = [device.name for kind in ("GPU", "CPU") for device in tf.config.list_logical_devices(kind)]
        same = [name for name in names if name.split(":")[-2] == names[0].split(":")[-2]]
        return tf.distribute.MirroredStrategy(same) if len(same) > 1 else tf.distribute.get_strategy()
    meet(addresses, number, wait)
    faulthandler.dump_traceback_later(wait, exit=True)  # TensorFlow itself would wait for ever, and hear no interrupt
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as reason:
        raise StepError(f"{reason}. Start Python anew, and call join() before TensorFlow computes anything.") from None
    finally:
        faulthandler.cancel_dump_traceback_later()


def meet(addresses: list[str], number: int, wait: float) -> None:
    """Wait until every worker listens at its address, "host:port"; StepError names those that do not."""
    ends, missing = time.monotonic() + wait, set(range(len(addresses))) - {number}
    with socket.create_server(("", int(addresses[number].rpartition(":")[2]))):
        while missing and time.monotonic() < ends:
            for other in list(missing):
                host, _, port = addresses[other].rpartition(":")
                try:
                    socket.create_connection((host, int(port)), timeout=2).close()
                    missing.discard(other)
                except OSError:
                    time.sleep(0.2)
    if missing:
        who = ", ".join(f"worker {other} ({addresses[other]})" for other in sorted(missing))
        why = "Is it started, with the same list of workers in its TF_CONFIG, and does no firewall stand between?"
        raise StepError(f"After {wait:.0f} seconds there was still no {who}. {why}")
