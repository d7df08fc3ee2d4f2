"""The processes of a comparison: each holds one model and answers one line for each line it is asked (see side.h)."""
import json
import os
import signal
import subprocess
from pathlib import Path


class SideError(Exception):
    """A side that did not start, ended or said no."""


class Side:
    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.load_ms = self._read()["load_ms"]

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SideError(f"{self.process.args[0]}: ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise SideError(f"{self.process.args[0]}: {answer['error']}")
        return answer

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self._read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Place:
    """Where programs, peers and models are, and which instruction set everything is held to."""

    def __init__(self, build, isa):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hob-bench"
        self.build = Path(build)
        self.programs = self.build / "bench"
        self.peers = Path(os.environ.get("HOB_BENCH_PEERS") or cache)
        self.models = Path(os.environ.get("HOB_BENCH_MODELS") or cache / "models")
        self.packs = cache / "packs"
        self.shared = Path("../shared")
        self.isa = isa

    @property
    def llama_libraries(self):
        return self.peers / "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"

    def hob(self, model, threads, context=0):
        env = {"HOB_KERNELS": "x86_avx2"} if self.isa == "avx2" else {}
        return Side([str(self.programs / "side_hob"), str(model), str(threads), str(context)], env)

    def ort(self, model, threads, _context=0):
        if not (self.peers / "node_modules/onnxruntime-node").exists():
            raise SideError("onnxruntime-node is missing: tools/deps bench installs it")
        env = {"LD_PRELOAD": str((self.programs / "mask_cpuid.so").resolve())} if self.isa == "avx2" else {}
        return Side(["node", "bench/peer_ort.mjs", str(self.peers), str(model), str(threads)], env)

    def llama(self, model, threads, context=0):
        if not self.llama_libraries.exists():
            raise SideError("@node-llama-cpp/linux-x64 is missing: tools/deps bench installs it")
        backend = "haswell" if self.isa == "avx2" else "best"
        return Side([str(self.programs / "peer_llama"), str(self.llama_libraries), backend, str(model), str(threads), str(context or 1024)])

    def limits(self):
        return Side([str(self.programs / "limits")])

    def model(self, name):
        """The path of a model: stories260k of ../shared, else a generated one, made where it is missing."""
        if name.startswith("stories260k/"):
            path = self.shared / "models" / name
        else:
            path = self.models / name
            if not path.exists():
                self._generate(name)
        if not path.exists():
            raise SideError(f"{name} is missing, and ../shared/peers, which makes it, too")
        return path

    def _generate(self, name):
        script = self.shared / "peers" / ("gen_onnx.py" if name.endswith(".onnx") else "gen_gguf.py")
        if script.exists():
            self.models.mkdir(parents=True, exist_ok=True)
            subprocess.run(["/usr/bin/python3", str(script), str(self.models), name.split("-")[0].split("_")[0].split(".")[0]],
                           check=True, stdout=subprocess.DEVNULL)

    def pack(self, name, quant=None):
        """A pack of a model, made anew: the program that reads it may have changed."""
        source = self.model(name)
        program = str(self.build / "hob")
        if subprocess.run([program, "import", "--help"], capture_output=True).returncode:
            raise SideError("this hob has no import")
        self.packs.mkdir(parents=True, exist_ok=True)
        path = self.packs / f"{source.stem}{'-' + quant if quant else ''}.hob"
        done = subprocess.run([program, "import", str(source), "-o", str(path)] + (["--quant", quant] if quant else []), capture_output=True, text=True)
        if done.returncode:
            raise SideError(f"hob import {name}: {done.stderr.strip()}")
        return path


class Burner:
    """A process that keeps one core busy, pinned to `cpu` unless None."""

    def __init__(self, cpu):
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", "while True: pass"])
        if cpu is not None:
            os.sched_setaffinity(self.process.pid, {cpu})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
