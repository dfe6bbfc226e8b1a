"""Runs a command and keeps every line that goes in and out of it: tee.py FILE COMMAND..."""

import subprocess
import sys
import threading
from typing import Any

lock = threading.Lock()


def copy(source: Any, target: Any, kept: Any) -> None:
    for line in iter(source.readline, b""):
        with lock:
            kept.write(line)
            kept.flush()
        target.write(line)
        target.flush()
    target.close()


def main() -> None:
    with open(sys.argv[1], "ab") as kept:
        child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answers = threading.Thread(target=copy, args=(child.stdout, sys.stdout.buffer, kept))
        answers.start()
        copy(sys.stdin.buffer, child.stdin, kept)
        answers.join()
        child.wait()


main()
