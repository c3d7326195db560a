"""Runs a command and prints, as JSON, what it took.

    python3 measure.py FOLDER COMMAND [ARGUMENT...]

code        its exit code
wallMs      time from start to end
cpuMs       processor time of its tree
peakKiB     peak resident memory of the largest process of its tree
writtenBytes  bytes that its tree wrote towards the disk
readBytes   bytes that its tree read from files and pipes; 0 where the system does not count them
stdout, stderr  what it printed
"""

import json
import resource
import subprocess
import sys
import time


def read_so_far():
    try:
        with open("/proc/self/io") as counters:
            return int(next(line for line in counters if line.startswith("rchar")).split()[1])
    except OSError:
        return 0


read_before = read_so_far()
start = time.perf_counter()
result = subprocess.run(sys.argv[2:], cwd=sys.argv[1], stdin=subprocess.DEVNULL, capture_output=True)
wall = (time.perf_counter() - start) * 1000
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(
    json.dumps(
        {
            "code": result.returncode,
            "wallMs": wall,
            "cpuMs": (usage.ru_utime + usage.ru_stime) * 1000,
            "peakKiB": usage.ru_maxrss,
            "writtenBytes": usage.ru_oublock * 512,
            "readBytes": read_so_far() - read_before,
            "stdout": result.stdout.decode(errors="replace"),
            "stderr": result.stderr.decode(errors="replace"),
        }
    )
)
