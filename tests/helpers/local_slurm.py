"""A real Slurm on this machine, of loopback nodes, for the time of a test run; as root only.

munged, slurmctld and a slurmd a node, all of whose files lie in one folder; no cgroups, no systemd,
no database. It is stopped by the pid files.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel")


def why_not() -> str:
    """Why Slurm cannot be started here; nothing if it can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if absent:
        return (
            f"{', '.join(absent)} not installed (apt install slurmctld slurmd slurm-client munge)"
        )
    return "" if os.geteuid() == 0 else "Slurm on the loopback is started as root only"


class LocalSlurm:
    """Slurm with some nodes of some CPUs, whatever the machine has."""

    def __init__(self, folder: Path, *, nodes: int = 2, cpus: int = 2) -> None:
        self.folder, self.nodes, self.cpus = folder, nodes, cpus
        self.conf = folder / "slurm.conf"

    def start(self) -> None:
        """Write the configuration, start the daemons, wait until every node is idle."""
        os.environ["PATH"] = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        os.environ["SLURM_CONF"] = str(self.conf)
        for name in ("munge", "state", "log", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        for parent in self.folder.parents:
            if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        (self.folder / "munge").chmod(0o711)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        self.conf.write_text("\n".join(self._lines()) + "\n")
        munge, log = self.folder / "munge", self.folder / "log"
        self._call(
            "munged",
            "--force",
            f"--key-file={key}",
            f"--socket={munge}/sock",
            f"--pid-file={munge}/pid",
            f"--log-file={log}/munged.log",
            f"--seed-file={munge}/seed",
        )
        self._call("slurmctld", "-f", str(self.conf), "-c")
        for k in range(self.nodes):
            self._call("slurmd", "-f", str(self.conf), "-N", f"n{k}")
        until = time.monotonic() + 60.0
        while len(self._call("sinfo", "-hNt", "idle", "-o", "%N").split()) < self.nodes:
            if time.monotonic() > until:
                raise TimeoutError((self.folder / "log" / "slurmctld.log").read_text()[-2000:])
            time.sleep(0.2)

    def stop(self) -> None:
        """End all jobs, then the daemons, and wait until they have: a daemon that cannot tell the
        controller of the end of a job waits for it.
        """
        with contextlib.suppress(RuntimeError):
            self._call("scancel", "--user=root")
            wait_while(lambda: self._call("squeue", "-h"), at_most_s=30.0)
        files = [*self.folder.glob("slurmd-*.pid"), self.folder / "slurmctld.pid"]
        files.append(self.folder / "munge" / "pid")
        pids = [int(file.read_text()) for file in files if file.exists()]
        for number, at_most_s in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
            for pid in filter(psutil.pid_exists, pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            wait_while(lambda: any(map(psutil.pid_exists, pids)), at_most_s=at_most_s)
        os.environ.pop("SLURM_CONF", None)

    def _lines(self) -> list[str]:
        ports = _free_ports(self.nodes + 1)
        one = "NodeHostname=localhost NodeAddr=127.0.0.1"
        size = f"CPUs={self.cpus} RealMemory=4000 State=UNKNOWN"
        return [
            "ClusterName=local",
            "SlurmctldHost=localhost(127.0.0.1)",
            "SlurmUser=root",
            "SlurmdUser=root",
            "AuthType=auth/munge",
            f"AuthInfo=socket={self.folder}/munge/sock",
            "CredType=cred/munge",
            f"SlurmctldPort={ports[0]}",
            f"SlurmctldPidFile={self.folder}/slurmctld.pid",
            f"SlurmdPidFile={self.folder}/slurmd-%n.pid",
            f"StateSaveLocation={self.folder}/state",
            f"SlurmdSpoolDir={self.folder}/spool/%n",
            f"SlurmctldLogFile={self.folder}/log/slurmctld.log",
            f"SlurmdLogFile={self.folder}/log/slurmd-%n.log",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "JobAcctGatherType=jobacct_gather/linux",
            "JobAcctGatherFrequency=task=2",
            "JobAcctGatherParams=OverMemoryKill",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_CPU_Memory",
            "SlurmdParameters=config_overrides",
            "SchedulerType=sched/backfill",
            "SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0,"
            "sched_min_interval=0",
            "ReturnToService=2",
            "KillWait=5",
            "OverTimeLimit=0",
            "MinJobAge=300",
            "MpiDefault=none",
            "SwitchType=switch/none",
            "DefMemPerCPU=500",
            *(f"NodeName=n{k} {one} Port={ports[1 + k]} {size}" for k in range(self.nodes)),
            f"PartitionName=htc Nodes=n[0-{self.nodes - 1}] Default=YES MaxTime=60 State=UP",
        ]

    def _call(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr or done.stdout}")
        return done.stdout


@contextmanager
def slurm_site(
    folder: Path, *, nodes: int = 2, cpus: int = 2, **settings: Any
) -> Iterator[tuple[Path, Path]]:
    """Run Slurm for the time of the block; gives a profile of these settings, and its folder."""
    slurm = LocalSlurm(folder / "run", nodes=nodes, cpus=cpus)
    slurm.start()
    try:
        yield write_profile(folder / "local.toml", **settings), slurm.folder
    finally:
        slurm.stop()


def write_profile(path: Path, **settings: Any) -> Path:
    """Write a profile of the Slurm of this machine."""
    whole = {"kind": "slurm", "partition": "htc", "interface": "lo", **settings}
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in whole.items()))
    return path


def wait_while(holds: Callable[[], object], *, at_most_s: float) -> None:
    """Wait until something does not hold, or time is up."""
    until = time.monotonic() + at_most_s
    while holds() and time.monotonic() < until:
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
