"""slowfast.utils.processes.cores: affinity and quotas, from files as the kernel writes them."""

import os

import pytest

from slowfast.utils.processes import cores
from slowfast.utils.processes.cores import Cores, effective_cores, sleep_while_waiting


def kernel(root, groups, **files):
    """The two folders of a machine: /proc/self/cgroup with `groups`, and files below /sys/fs/cgroup."""
    proc, cgroups = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(groups)
    cgroups.mkdir()
    for name, text in files.items():
        path = cgroups / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return {"proc": proc, "cgroups": cgroups}


@pytest.mark.parametrize(
    ("limit", "quota", "count"),
    [("max 100000", None, 8), ("200000 100000", 2.0, 2), ("150000 100000", 1.5, 1), ("50000 100000", 0.5, 1)],
)
def test_version_2(tmp_path, limit, quota, count):
    cores = effective_cores(**kernel(tmp_path, "0::/\n", **{"cpu.max": limit}), allowed=8)
    assert (cores.allowed, cores.quota, cores.count) == (8, quota, count)


def test_the_tightest_of_nested_groups_counts(tmp_path):
    files = {"cpu.max": "max 100000", "job/cpu.max": "300000 100000", "job/step/cpu.max": "max 100000"}
    assert effective_cores(**kernel(tmp_path, "0::/job/step\n", **files), allowed=8).quota == 3.0


def test_a_path_of_the_host_is_not_there_in_a_container(tmp_path):
    here = kernel(tmp_path, "0::/docker/abc/../def\n", **{"cpu.max": "250000 100000"})
    assert effective_cores(**here, allowed=8).count == 2


@pytest.mark.parametrize("mounted", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
@pytest.mark.parametrize(("quota", "count"), [("400000", 4), ("-1", 8), ("90000", 1)])
def test_version_1(tmp_path, mounted, quota, count):
    files = {f"{mounted}/docker/cpu.cfs_quota_us": quota, f"{mounted}/docker/cpu.cfs_period_us": "100000"}
    groups = "12:memory:/docker\n4:cpu,cpuacct:/docker\n3:cpuset:/\n"
    assert effective_cores(**kernel(tmp_path, groups, **files), allowed=8).count == count


def test_affinity_below_the_quota_counts(tmp_path):
    assert effective_cores(**kernel(tmp_path, "0::/\n", **{"cpu.max": "600000 100000"}), allowed=2).count == 2


@pytest.mark.parametrize("broken", ["", "garbage", "1 2 3", "100000 0", "-5 100000"])
def test_what_cannot_be_read_limits_nothing(tmp_path, broken):
    assert effective_cores(**kernel(tmp_path, "0::/\n", **{"cpu.max": broken}), allowed=8) == Cores(8)
    assert effective_cores(proc=tmp_path / "none", cgroups=tmp_path / "none", allowed=8) == Cores(8)


def test_this_process_has_the_cores_of_its_affinity(tmp_path):
    found = effective_cores(proc=tmp_path, cgroups=tmp_path)
    assert found.allowed == len(os.sched_getaffinity(0))


def test_in_words():
    assert str(Cores(1)) == "1 core" and str(Cores(64, 2.5)) == "64 cores with a quota of 2.5"


@pytest.mark.parametrize(
    ("load", "quota", "given", "imported", "decided"),
    [
        (5.0, None, {}, False, True),
        (0.0, 2.0, {}, False, True),
        (1.9, None, {}, False, False),  # on a machine that is not busy, threads that wait keep their cores
        (5.0, 2.0, {"OMP_WAIT_POLICY": "active"}, False, False),
        (5.0, None, {"GOMP_SPINCOUNT": "10"}, False, False),
        (5.0, 2.0, {}, True, False),  # OpenMP has read it
    ],
)
def test_on_a_busy_machine_and_under_a_quota_threads_sleep_while_they_wait(
    monkeypatch, load, quota, given, imported, decided
):
    environment = dict(given)
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(os, "getloadavg", lambda: (load * 4, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(cores, "effective_cores", lambda: Cores(4, quota))
    monkeypatch.setattr(cores, "sys", type("sys", (), {"modules": {"torch": None} if imported else {}}))
    assert sleep_while_waiting() is decided
    assert environment == ({"OMP_WAIT_POLICY": "passive"} if decided else given)
