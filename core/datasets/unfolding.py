"""Parquet to JSON lines, as a process of its own: `python unfolding.py BYTES < file`.

A column of a few bytes may unfold to any size (one long value, told once, repeated a million times), and nothing in
the file has to say so. Here it meets a limit of memory and one of processor time, and only this process ends. The
limit of memory is one of addresses: libraries that reserve some per thread or per core are told not to (`VARIABLES`),
so that it means the same on a machine of two cores and of sixty-four.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import orjson

MOST_MEMORY = 2 * 1024**3
MOST_SECONDS = 60
UNREADABLE, TOO_MUCH = 3, 4
VARIABLES = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""All the process knows of its surroundings: the server's own variables hold secrets, and the file is a stranger's."""
_MOST_UNFOLDED = 256 * 1024 * 1024
_PER_BATCH = 64


def main() -> int:
    """Write one line per row of the file on standard input; the exit code says why it ended early."""
    _bound(int(sys.argv[1]))
    import pyarrow as pa
    from pyarrow import parquet

    pa.set_cpu_count(1)
    try:
        file = parquet.ParquetFile(
            sys.stdin.buffer, pre_buffer=False, thrift_string_size_limit=1_000_000, thrift_container_size_limit=100_000
        )
        room = _MOST_UNFOLDED
        for line in _lines(file.iter_batches(batch_size=_PER_BATCH, use_threads=False)):
            room -= len(line)
            if room < 0:
                return TOO_MUCH
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except (MemoryError, pa.ArrowMemoryError):
        return TOO_MUCH
    except (pa.ArrowException, OSError, ValueError):
        return UNREADABLE
    return 0


def _lines(batches: Iterator[Any]) -> Iterator[bytes]:
    for batch in batches:
        for row in batch.to_pylist():
            yield orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def _bound(memory_bytes: int) -> None:
    """Where the system knows such limits: memory, and seconds of work."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS + 5))  # the first is SIGXCPU: it tells why


if __name__ == "__main__":
    sys.exit(main())
