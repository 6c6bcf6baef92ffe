"""The examples for schedulers tell each worker its number and all addresses."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "notebooks" / "beyond" / "cluster"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these are for Linux clusters")


def told_to_worker(script: str, folder: Path, environment: dict[str, str]) -> dict:
    """The TF_CONFIG that a shell script gives to python."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text('#!/bin/sh\necho "$TF_CONFIG"\necho "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IEXEC)
    variables = {"PATH": f"{folder}:{os.environ['PATH']}", **environment}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=variables, capture_output=True, text=True, check=True)
    told, command = done.stdout.strip().splitlines()
    assert command.removesuffix(" --wait 900") == "-m helpers train"
    return json.loads(told)


def test_slurm(tmp_path):
    for name, body in (
        ("scontrol", 'test "$1 $2" = "show hostnames" && printf "%s\\n" node1 node2'),
        ("srun", 'test "$1" = --kill-on-bad-exit=1 && shift 2 && exec "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script = (EXAMPLES / "slurm.sh").read_text(encoding="utf-8")
    variables = {"SLURM_JOB_NODELIST": "node[1-2]", "SLURM_PROCID": "1", "SLURM_CPUS_PER_TASK": "8"}
    told = told_to_worker(script, tmp_path, variables)
    assert told == {"cluster": {"worker": ["node1:2222", "node2:2222"]}, "task": {"type": "worker", "index": 1}}
    assert re.search(r"^#SBATCH --nodes=2$", script, re.MULTILINE)
    for status, attempts in ((75, 3), (1, 1)):  # a lost worker, and an error of its own
        (tmp_path / "srun").write_text(f"#!/bin/sh\necho tried\nexit {status}\n")
        everything = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=everything, capture_output=True, text=True)
        assert (done.returncode, done.stdout.count("tried")) == (1, attempts)


def test_kubernetes(tmp_path):
    text = (EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8")
    lines = text.partition("            - |\n")[2].partition("          volumeMounts")[0].splitlines()
    script = "\n".join(line.strip() for line in lines)
    (workers,) = re.findall(r"name: WORKERS\n +value: '(.*)'", text)
    told = told_to_worker(script, tmp_path, {"WORKERS": workers, "JOB_COMPLETION_INDEX": "0"})
    addresses = ["captcha-0.captcha:2222", "captcha-1.captcha:2222"]  # job-index.subdomain, as Kubernetes names them
    assert told == {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 0}}
    (completions,), (parallelism,) = (re.findall(rf"{name}: (\d+)", text) for name in ("completions", "parallelism"))
    assert completions == parallelism == str(len(addresses))
    assert "completionMode: Indexed" in text and "subdomain: captcha" in text
