#!/usr/bin/env python3
"""scripts/slurm/sweep.sbatch on a Slurm of one node, set up in a temporary folder and gone at the end.

    slurm.py STEEPEST     exits with 77 where Slurm is missing

An array of two shards runs a tiny sweep. In the middle one task is requeued, as by an administrator or a preemption, and
the other one gets the signal that comes before its time is up. The results must be those of an undisturbed sweep, byte for
byte, and every disturbed run must have gone on from a checkpoint that it wrote when it was told to stop: there are no
others before the end.
"""

import getpass
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
STEPS = 4000
PATIENCE = 60  # seconds that anything here may take
CONF = """
ClusterName=steepest
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
# A requeued job waits until its old credentials have expired.
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={port}
SlurmdPort={port1}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise TimeoutError(f"waited {PATIENCE} s for {what}")


def two_free_ports():
    while True:
        port = random.randint(20000, 60000)
        try:
            for number in (port, port + 1):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue


class Slurm:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        for name in ("state", "spool"):
            (folder / name).mkdir()
        port = two_free_ports()
        conf = folder / "slurm.conf"
        host = socket.gethostname().split(".")[0]
        conf.write_text(CONF.format(folder=folder, host=host, user=getpass.getuser(), port=port, port1=port + 1))
        self.environment = {**os.environ, "SLURM_CONF": str(conf)}
        self.daemons = []

    def __enter__(self):
        for daemon in ("slurmctld", "slurmd"):
            command = [shutil.which(daemon, path=PATH), "-D", "-f", self.environment["SLURM_CONF"]]
            self.daemons.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_for("the node", lambda: self("sinfo", "-h", "-o", "%t", check=False).strip() == "idle")
        return self

    def __exit__(self, kind, *_):
        self("scancel", "--user", getpass.getuser(), check=False)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait()
        if kind:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}\n" + "".join(log.read_text().splitlines(keepends=True)[-30:]))

    def __call__(self, *command, check=True):
        done = subprocess.run(command, env=self.environment, text=True, capture_output=True)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout


def lines(log, kind):
    """Of a log's whole lines, those of one kind."""
    if not log.exists():
        return []
    whole = log.read_text().rpartition("\n")[0].splitlines()
    return [line for line in map(json.loads, whole) if line["kind"] == kind]


def write_sweep(folder):
    letters = random.Random(1)
    (folder / "text.txt").write_text("".join(letters.choice("abcdef") for _ in range(6000)))
    (folder / "tiny.json").write_text(json.dumps({
        "model": {"layers": 1, "heads": 2, "width": 16, "context": 8, "vocab": 257}, "optimizer": "adamw",
        "data": {"train": [str(folder / "text.txt")], "validation_fraction": 0.1}, "threads": 1, "batch": 4,
        "steps": STEPS, "evaluation": {"every": STEPS // 4, "tokens": 96}}))
    (folder / "sweep.json").write_text(json.dumps({
        "config": str(folder / "tiny.json"), "runs": str(folder / "runs"), "name": "slurm",
        "axes": {"optimizer": ["adamw", "muon", "signsgd", "sgd"]}}))


def half_way(folder, run):
    return len(lines(folder / "runs/slurm" / run / "log.jsonl", "train")) > STEPS // 3


def main():
    steepest = os.path.abspath(sys.argv[1])
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "scontrol") if not shutil.which(name, path=PATH)]
    if missing:
        print(f"skipped: no {', '.join(missing)} here (Debian: slurm-wlm)")
        return 77
    with tempfile.TemporaryDirectory(prefix="steepest-slurm-") as name:
        folder = pathlib.Path(name)
        write_sweep(folder)
        alone = [steepest, "sweep", str(folder / "sweep.json"), "--set", "name=alone", "--jobs", "2"]
        subprocess.run(alone, check=True, capture_output=True)
        with Slurm(folder / "slurm") as slurm:
            job = slurm("sbatch", "--parsable", "--array=1-2", f"--chdir={folder}", f"--export=ALL,STEEPEST={steepest}",
                        str(SOURCE / "scripts/slurm/sweep.sbatch"), str(folder / "sweep.json")).strip()
            try:
                # Shards take turns: the first has adamw and signsgd, the second muon and sgd.
                wait_for("adamw at a third", lambda: half_way(folder, "adamw-s1"))
                slurm("scontrol", "requeue", f"{job}_1")
                wait_for("muon at a third", lambda: half_way(folder, "muon-s1"))
                slurm("scancel", "--batch", "--signal=USR1", f"{job}_2")
                wait_for("the array", lambda: not slurm("squeue", "-h").strip())
                for run in ("adamw-s1", "muon-s1"):
                    log = folder / "runs/slurm" / run / "log.jsonl"
                    assert len(lines(log, "start")) == 1, f"{run} began twice"
                    resumed = lines(log, "resume")
                    assert resumed and resumed[0]["step"] >= STEPS // 3, f"{run} was not disturbed: {resumed}"
                results, expected = ((folder / f"runs/{n}/results.csv").read_text() for n in ("slurm", "alone"))
                assert results == expected, f"differs:\n{results}\n{expected}"
                assert results.count(",done,") == 4, results
            except Exception:
                for out in sorted(folder.glob("*.out")):
                    print(f"--- {out.name}\n{out.read_text()}")
                raise
    print("an array with a requeued task and one out of time came to the undisturbed results")
    return 0


PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

if __name__ == "__main__":
    sys.exit(main())
