"""Runs a command and prints, as JSON, its wall time in ms, the peak memory in KiB of the largest process in its tree,
and the bytes that the tree wrote towards the disk."""
import json, resource, subprocess, sys, time
start = time.perf_counter()
result = subprocess.run(sys.argv[2:], cwd=sys.argv[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
wall = (time.perf_counter() - start) * 1000
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"code": result.returncode, "wallMs": wall, "peakKiB": usage.ru_maxrss, "writtenBytes": usage.ru_oublock * 512,
                  "stdout": result.stdout.decode(errors="replace"), "stderr": result.stderr.decode(errors="replace")[-2000:]}))
