#!/usr/bin/env bash
#SBATCH --job-name=captcha
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
# Trains `default` on two nodes: sbatch notebooks/beyond/cluster/slurm.sh, in the repository, on a disk that both see.
set -euo pipefail
PORT=2222
export PORT
WORKERS="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:$PORT\"/" | paste -sd, -)"
export WORKERS

for attempt in 1 2 3; do # a lost worker ends the others with status 75; together they go on from the last checkpoint
    status=0
    # shellcheck disable=SC2016  # each task fills in its own number
    srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" bash -c '
        export TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
        exec .venv/bin/python -m helpers train' || status=$?
    if test "$status" -le 1; then exit "$status"; fi # 1 is an error that another attempt would meet again
    echo "attempt $attempt ended with status $status" >&2
done
exit 1
