"""The backend of most tests, as the source of a module of its own."""

from __future__ import annotations

PUPPET = """
import os, signal, time
from pydantic import BaseModel, ConfigDict
from nstd.backend import Progress, Result

LEAKED = []

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    steps: int = 1
    pause: float = 0.0
    act: str = ""           # at once: refuse; in the middle: raise, exit, kill, segfault, hang,
                            # stop, oom, assert, leak
    attempts_file: str = "" # act only while this file has fewer than `times` lines
    times: int = 10**9
    flag: str = ""          # act only while this file is there
    gpu: str = ""           # act only on the GPU of this number
    until: str = ""         # the end comes early: as soon as this file is there

class Puppet:
    '''Does what its options say: the content comes back, or something happens on the way.'''

    name = "puppet"
    size = None
    Options = Options

    def run(self, task, report):
        options = task.options
        start, middle = int(task.state or 0), (options.steps + 1) // 2
        if options.act == "refuse":
            raise RuntimeError("the puppet refuses")
        for step in range(start + 1, options.steps + 1):
            time.sleep(options.pause)
            done = step - (step == middle)  # whoever goes on from there meets the act again
            report(Progress(step=step, steps=options.steps, fraction=step / options.steps,
                            losses={"total": 1.0 / step}, state=lambda: str(done).encode(),
                            picture=lambda: task.content))
            if step == middle and self.may_act(options):
                self.act(options.act)
            if options.until and os.path.exists(options.until):
                break
        return Result(task.content)

    def may_act(self, options):
        if options.flag and not os.path.exists(options.flag):
            return False
        if options.gpu and os.environ["CUDA_VISIBLE_DEVICES"] != options.gpu:
            return False
        if not options.act or not options.attempts_file:
            return bool(options.act)
        with open(options.attempts_file, "a+") as file:
            file.seek(0)
            done = len(file.readlines())
            file.write("x\\n")
        return done < options.times

    def act(self, what):
        if what == "raise":
            raise RuntimeError("the puppet raises")
        if what == "exit":
            os._exit(7)
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "segfault":
            import ctypes
            ctypes.string_at(0)
        if what == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        if what == "oom":
            raise MemoryError("out of memory")
        if what == "assert":
            raise RuntimeError("CUDA error: device-side assert triggered")
        if what == "leak":
            LEAKED.append(b"x" * 2**26)
        if what == "hang":
            while True:
                time.sleep(0.05)
"""
"""A trivial backend, installed as a real distribution; it needs no torch."""
