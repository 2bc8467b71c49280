"""Requests to stop or to save are noted, not acted on, until a loop asks."""

import os
import signal
import subprocess
import sys
import time

import pytest

from slowfast.engine.device.launch import _passing_on_signals
from slowfast.engine.device.requests import Requests, StoppedError


def test_a_signal_is_a_request_while_it_is_listened_to():
    before = signal.getsignal(signal.SIGTERM)
    with Requests().listening() as requests:
        assert requests.stop == ""
        os.kill(os.getpid(), signal.SIGTERM)
        assert requests.stop == "SIGTERM came"
    assert signal.getsignal(signal.SIGTERM) is before


def test_while_a_run_prepares_a_signal_ends_it_at_once():
    said = pytest.raises(StoppedError, match=r"SIGUSR1 came before the first step")
    with said, Requests().listening() as requests, requests.heard_at_once():
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(60)
    with Requests().listening() as requests:
        with requests.heard_at_once():
            pass
        os.kill(os.getpid(), signal.SIGUSR1)
        assert requests.stop == "SIGUSR1 came"


def test_time_passes():
    now = [100.0]
    requests = Requests(time_limit=60.0, save_every=10.0, clock=lambda: now[0])
    for second, stop, save in ((105, False, False), (110, False, True), (159, False, True), (160, True, True)):
        now[0] = second
        assert (bool(requests.stop), requests.save) == (stop, save)
    assert requests.stop == "TRAIN.TIME_LIMIT, 1 minutes, is over"
    requests.saved()
    assert not requests.save
    assert not Requests().save and not Requests().stop


def test_what_the_starting_process_is_sent_its_workers_get():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with _passing_on_signals([child.pid, 2**22 + 1]):  # the second has ended
            os.kill(os.getpid(), signal.SIGTERM)
        assert child.wait(20) == -signal.SIGTERM
    finally:
        child.kill()
