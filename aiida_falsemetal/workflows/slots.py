"""One core, one task: a semaphore of file locks that jobs on one machine take before they compute.

A cluster has a scheduler for this. On a laptop AiiDA's direct scheduler starts every job at once; the shell lines made
here, prepended to each job, make it wait for as many of the machine's slots as it has ranks times threads. The kernel
frees a lock when the job's last process ends, however it ends.
"""

from __future__ import annotations

_SCRIPT = """\
# falsemetal: wait for {needed} of {slots} slots (ranks x threads); the locks end with this job's last process.
falsemetal_slots="${{TMPDIR:-/tmp}}/falsemetal-slots-$(id -u)"
mkdir -p "$falsemetal_slots"
exec {{falsemetal_gate}}>"$falsemetal_slots/gate"
flock "$falsemetal_gate"
falsemetal_held=0
while [ "$falsemetal_held" -lt {needed} ]; do
  for falsemetal_number in $(seq 1 {slots}); do
    exec {{falsemetal_lock}}>"$falsemetal_slots/slot-$falsemetal_number"
    if flock -n "$falsemetal_lock"; then
      falsemetal_held=$((falsemetal_held + 1))
      [ "$falsemetal_held" -lt {needed} ] || break 2
    else
      exec {{falsemetal_lock}}>&-
    fi
  done
  sleep 0.2
done
exec {{falsemetal_gate}}>&-
date +%s.%N > falsemetal-started
"""


def slots_prepend(slots: int, needed: int) -> str:
    """Shell lines that wait until ``needed`` of ``slots`` are free; empty where ``slots`` is 0 (a cluster).

    :raises ValueError: if a job needs more than there are: it would wait forever.
    """
    if slots == 0:
        return ""
    if needed > slots:
        raise ValueError(f"a job of {needed} ranks x threads cannot run in {slots} slots; raise `slots`.")
    return _SCRIPT.format(slots=slots, needed=needed)


_GPU_SCRIPT = """\
# falsemetal: wait for one of {jobs} places on a GPU; the lock ends with this job's last process.
falsemetal_gpus="${{CUDA_VISIBLE_DEVICES-$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null)}}"
falsemetal_gpus="${{falsemetal_gpus//,/ }}"
if [ -n "${{falsemetal_gpus// /}}" ]; then
  falsemetal_places="${{TMPDIR:-/tmp}}/falsemetal-slots-$(id -u)"
  mkdir -p "$falsemetal_places"
  while true; do
    for falsemetal_place in $(seq 1 {jobs}); do
      for falsemetal_gpu in $falsemetal_gpus; do
        exec {{falsemetal_lock}}>"$falsemetal_places/gpu-${{falsemetal_gpu//\\//_}}-$falsemetal_place"
        if flock -n "$falsemetal_lock"; then
          export CUDA_VISIBLE_DEVICES="$falsemetal_gpu"
          break 3
        fi
        exec {{falsemetal_lock}}>&-
      done
    done
    sleep 0.5
  done
fi
"""


def gpu_prepend(jobs: int) -> str:
    """Shell lines that wait until fewer than ``jobs`` jobs are on one of the machine's GPUs, and show the job that GPU
    alone; empty where ``jobs`` is 0.

    The GPUs are those of ``CUDA_VISIBLE_DEVICES``, where it is set, else those that ``nvidia-smi`` lists. First places
    are given out first, so that jobs spread over the GPUs. On a machine without a GPU nothing is waited for.
    """
    return _GPU_SCRIPT.format(jobs=jobs) if jobs else ""
